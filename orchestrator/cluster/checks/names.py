"""Names that objects call each other by: each must be there, also after kustomize has renamed things.

Secrets are never rendered. One that is needed is announced in the annotation `frontier/needs-secrets` of the
object that names it, or marked optional there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.pods import Pod
from orchestrator.cluster.documents import Document, get, items, mapping, of_kind
from orchestrator.errors import Problem, did_you_mean

NEEDS_SECRETS = "frontier/needs-secrets"
_CLUSTER_SCOPED = (
    "ClusterQueue",
    "ClusterRole",
    "ClusterRoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "Namespace",
    "ResourceFlavor",
    "WorkloadPriorityClass",
)
_LARGEST_CONFIG_MAP = 1024 * 1024  # bytes


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    yield from _places(documents)
    for pod in pods:
        yield from _mounts(pod)
    if not of_kind(documents, "Namespace"):
        return  # a part, say a sweep alone: what it names is elsewhere
    for pod in pods:
        yield from _references(pod, documents)
    for config_map in of_kind(documents, "ConfigMap"):
        size = sum(len(str(value).encode()) for value in mapping(config_map.body.get("data")).values())
        if size >= _LARGEST_CONFIG_MAP:
            problem = f"{size:,} bytes; a ConfigMap holds {_LARGEST_CONFIG_MAP:,}"
            yield config_map.problem_at("data", problem, "move some of it into the image")
    yield from _bindings(documents)
    yield from _selectors(documents, pods)


def _places(documents: Sequence[Document]) -> Iterator[Problem]:
    """Nothing is used twice; namespaces are given where there are such, and are declared."""
    seen: set[tuple[str, str, str, str]] = set()
    declared = {namespace.name for namespace in of_kind(documents, "Namespace")}
    for document in documents:
        identity = (document.group, document.kind, document.namespace, document.name)
        if identity in seen:
            yield document.problem_at("metadata.name", f"{document.name!r} is used twice", "rename one")
        seen.add(identity)
        if document.kind in _CLUSTER_SCOPED:
            if document.namespace:
                problem = f"a {document.kind} belongs to no namespace"
                yield document.problem_at("metadata.namespace", problem, "remove it")
        elif not document.namespace:
            fix = f"write {next(iter(sorted(declared)), 'frontier')}"
            yield document.problem_at("metadata.namespace", "has no namespace", fix)
        elif declared and document.namespace not in declared:
            problem = f"there is no namespace {document.namespace!r}"
            yield document.problem_at(
                "metadata.namespace", problem, did_you_mean(document.namespace, declared)
            )


def _references(pod: Pod, documents: Sequence[Document]) -> Iterator[Problem]:
    def objects_of(kind: str) -> dict[str, Document]:
        there = of_kind(documents, kind)
        return {document.name: document for document in there if document.namespace == pod.namespace}

    maps, claims = objects_of("ConfigMap"), objects_of("PersistentVolumeClaim")
    account = pod.spec.get("serviceAccountName")
    if account is not None and account not in objects_of("ServiceAccount"):
        yield _absent(pod, "serviceAccountName", "ServiceAccount", account, objects_of("ServiceAccount"))
    for key, kind, reference in _named(pod):
        name, optional = str(reference.get("name", "")), bool(reference.get("optional"))
        if kind == "ConfigMap" and name not in maps and not optional:
            yield _absent(pod, key, kind, name, maps)
        elif kind == "ConfigMap" and name in maps and "key" in reference:
            keys = mapping(maps[name].body.get("data"))
            if reference["key"] not in keys:
                problem = f"ConfigMap {name} has no key {reference['key']!r}"
                yield pod.problem_at(key, problem, did_you_mean(str(reference["key"]), keys))
        elif kind == "PersistentVolumeClaim" and name not in claims:
            yield _absent(pod, key, kind, name, claims)
        elif kind == "Secret" and not optional:
            yield from _secret(pod, key, name, objects_of("Secret"))


def _mounts(pod: Pod) -> Iterator[Problem]:
    volumes = {volume.get("name") for volume in items(pod.spec.get("volumes"))}
    volumes |= {get(c, "metadata", "name") for c in items(pod.document.spec.get("volumeClaimTemplates"))}
    yield from _volumes_twice(pod)
    for container in pod.containers:
        taken: set[object] = set()
        for number, mount in enumerate(items(container.body.get("volumeMounts"))):
            path = str(mount.get("mountPath")).rstrip("/")
            if path in taken:
                key = f"{container.key}.volumeMounts.{number}.mountPath"
                yield pod.problem_at(key, f"{path!r} is mounted twice", "mount one volume there")
            taken.add(path)
            if mount.get("name") not in volumes:
                key = f"{container.key}.volumeMounts.{number}.name"
                fix = did_you_mean(str(mount.get("name")), map(str, volumes))
                yield pod.problem_at(key, f"the pod has no volume {mount.get('name')!r}", fix)


def _volumes_twice(pod: Pod) -> Iterator[Problem]:
    taken: set[str] = set()
    for number, volume in enumerate(items(pod.spec.get("volumes"))):
        name = str(volume.get("name"))
        if name in taken:
            yield pod.problem_at(f"volumes.{number}.name", f"{name!r} is used twice", "rename or remove one")
        taken.add(name)


def _named(pod: Pod) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Each reference of a pod: dotted path, kind, and name/key/optional."""
    for number, volume in enumerate(items(pod.spec.get("volumes"))):
        key = f"{pod.key}.volumes.{number}"
        if "configMap" in volume:
            yield f"{key}.configMap.name", "ConfigMap", mapping(volume["configMap"])
        if "secret" in volume:
            secret = mapping(volume["secret"])
            secret_reference = {"name": secret.get("secretName"), "optional": secret.get("optional")}
            yield f"{key}.secret.secretName", "Secret", secret_reference
        if "persistentVolumeClaim" in volume:
            claim = {"name": mapping(volume["persistentVolumeClaim"]).get("claimName")}
            yield f"{key}.persistentVolumeClaim.claimName", "PersistentVolumeClaim", claim
    for container in pod.containers:
        for number, source in enumerate(items(container.body.get("envFrom"))):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field in source:
                    yield f"{container.key}.envFrom.{number}.{field}.name", kind, mapping(source[field])
        for number, env in enumerate(items(container.body.get("env"))):
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                reference = get(env, "valueFrom", field)
                if reference is not None:
                    yield f"{container.key}.env.{number}.valueFrom.{field}.name", kind, mapping(reference)


def _absent(pod: Pod, key: str, kind: str, name: object, objects: dict[str, Document]) -> Problem:
    """The usual cause: kustomize has renamed the object, and does not know this field as a reference."""
    renamed = next((other for other in sorted(objects) if other.startswith(f"{name}-")), None)
    fix = did_you_mean(str(name), objects)
    if renamed is not None:
        fix = f"kustomize has renamed it to {renamed!r}: add this path to k8s/base/name-references.yaml"
    return pod.problem_at(key, f"{pod.role}: there is no {kind} {name!r}", fix)


def _secret(pod: Pod, key: str, name: str, secrets: dict[str, Document]) -> Iterator[Problem]:
    announced = str(pod.document.annotations.get(NEEDS_SECRETS, "")).replace(" ", "").split(",")
    if name not in secrets and name not in announced:
        problem = f"{pod.role}: no object says where Secret {name!r} comes from"
        fix = f"mark it optional, or announce it in the annotation {NEEDS_SECRETS}"
        yield pod.problem_at(key, problem, fix)


def _bindings(documents: Sequence[Document]) -> Iterator[Problem]:
    for binding in of_kind(documents, "RoleBinding", "ClusterRoleBinding"):
        role = mapping(binding.body.get("roleRef"))
        roles = [document.name for document in of_kind(documents, "Role")]
        if role.get("kind") == "Role" and role.get("name") not in roles:
            fix = did_you_mean(str(role.get("name")), roles)
            yield binding.problem_at("roleRef.name", f"there is no Role {role.get('name')!r}", fix)


def _selectors(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    """Services and disruption budgets that select nothing are misspelt."""
    for document in of_kind(documents, "Service", "PodDisruptionBudget"):
        key = "spec.selector" if document.kind == "Service" else "spec.selector.matchLabels"
        selector = mapping(get({"spec": document.spec}, *key.split(".")))
        there = [pod for pod in pods if pod.namespace == document.namespace]
        if selector and there and not any(selector.items() <= pod.labels.items() for pod in there):
            shown = ", ".join(f"{name}={value}" for name, value in selector.items())
            fix = "correct the labels"
            yield document.problem_at(key, f"no pod has the labels {shown}", fix)
