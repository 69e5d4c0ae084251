"""What the KubeRay operator refuses in a cluster, of a RayJob or on its own. Sources: see `kuberay_rules`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.numbers import number_or_zero
from orchestrator.cluster.checks.pods import cluster_of
from orchestrator.cluster.documents import Document, KubeObject, get, items, mapping
from orchestrator.errors import Problem

_V2 = "RAY_enable_autoscaler_v2"
_FT = "ray.io/ft-enabled"
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


def check(documents: Sequence[Document]) -> Iterator[Problem]:
    for document in documents:
        ray_cluster = cluster_of(document)
        if ray_cluster is None:
            continue
        cluster, key = ray_cluster
        for group, path in _groups(cluster, key):
            yield from _group(document, group, path)
        yield from _replicas(document, cluster, key)
        yield from _autoscaling(document, cluster, key)
        yield from _fault_tolerance(document, cluster, key)
        yield from _token(document, cluster, key)


def _groups(cluster: KubeObject, key: str) -> Iterator[tuple[KubeObject, str]]:
    yield mapping(cluster.get("headGroupSpec")), f"{key}.headGroupSpec"
    for number, group in enumerate(items(cluster.get("workerGroupSpecs"))):
        yield group, f"{key}.workerGroupSpecs.{number}"


def _group(document: Document, group: KubeObject, key: str) -> Iterator[Problem]:
    params = mapping(group.get("rayStartParams"))
    if not items(get(group, "template", "spec", "containers")):
        fix = "the Ray container comes first"
        yield document.problem_at(f"{key}.template.spec.containers", "has no container", fix)
    doubled = [name for name in ("num-cpus", "num-gpus", "memory", "resources") if params.get(name)]
    if doubled and group.get("resources"):
        problem = f"resources are set here and in rayStartParams ({', '.join(doubled)})"
        yield document.problem_at(f"{key}.resources", problem, "keep one of the two places")
    if "labels" in params:
        fix = "use the group's `labels`"
        yield document.problem_at(f"{key}.rayStartParams.labels", "is not supported", fix)
    for name, value in mapping(group.get("labels")).items():
        if not _LABEL_KEY.fullmatch(str(name)) or not _LABEL_VALUE.fullmatch(str(value)):
            fix = "letters, digits, '-', '_' and '.', at most 63"
            yield document.problem_at(f"{key}.labels.{name}", f"{value!r} is no label of Kubernetes", fix)


def _replicas(document: Document, cluster: KubeObject, key: str) -> Iterator[Problem]:
    names: set[object] = set()
    for number, group in enumerate(items(cluster.get("workerGroupSpecs"))):
        path, name = f"{key}.workerGroupSpecs.{number}", group.get("groupName")
        least, most = (
            number_or_zero(group.get("minReplicas") or 0),
            number_or_zero(group.get("maxReplicas", 0)),
        )
        if name in names:
            yield document.problem_at(f"{path}.groupName", f"{name!r} is used twice", "rename one")
        names.add(name)
        if least < 0:
            yield document.problem_at(f"{path}.minReplicas", f"{least:g} is negative", "write 0 or more")
        if least > most:
            problem = f"minReplicas {least:g} is more than maxReplicas {most:g}"
            yield document.problem_at(f"{path}.minReplicas", problem, "lower it, or raise maxReplicas")
        replicas = group.get("replicas")
        if replicas is not None and not least <= number_or_zero(replicas) <= max(least, most):
            problem = f"replicas {replicas} is not between {least:g} and {most:g}"
            yield document.problem_at(
                f"{path}.replicas", problem, "move it between minReplicas and maxReplicas"
            )


def _autoscaling(document: Document, cluster: KubeObject, key: str) -> Iterator[Problem]:
    autoscaled = bool(cluster.get("enableInTreeAutoscaling"))
    by_env = _head_env(cluster).get(_V2)
    version = get(cluster, "autoscalerOptions", "version")
    env_key = f"{key}.headGroupSpec.template.spec.containers.0.env"
    if not autoscaled and str(by_env).lower() in ("1", "true"):
        fix = "set enableInTreeAutoscaling: true"
        yield document.problem_at(env_key, f"{_V2} without autoscaling", fix)
    if autoscaled and version is not None and by_env is not None:
        fix = "keep autoscalerOptions.version"
        yield document.problem_at(env_key, f"{_V2} beside autoscalerOptions.version", fix)
    for number, group in enumerate(items(cluster.get("workerGroupSpecs"))):
        if autoscaled and group.get("suspend"):
            path = f"{key}.workerGroupSpecs.{number}.suspend"
            yield document.problem_at(path, "a group cannot be suspended with autoscaling", "remove it")
    if autoscaled and (version == "v2" or by_env is not None):
        for group, path in _groups(cluster, key):
            policy = get(group, "template", "spec", "restartPolicy")
            if policy not in (None, "", "Never"):
                where = f"{path}.template.spec.restartPolicy"
                yield document.problem_at(where, f"{policy!r} with autoscaler v2", "write Never")


def _head_env(cluster: KubeObject) -> dict[object, object]:
    containers = items(get(cluster, "headGroupSpec", "template", "spec", "containers"))[:1]
    return {env.get("name"): env.get("value", "") for c in containers for env in items(c.get("env"))}


def _fault_tolerance(document: Document, cluster: KubeObject, key: str) -> Iterator[Problem]:
    env, options = _head_env(cluster), cluster.get("gcsFaultToleranceOptions")
    annotation = document.annotations.get(_FT)
    params = mapping(get(cluster, "headGroupSpec", "rayStartParams"))
    env_key = f"{key}.headGroupSpec.template.spec.containers.0.env"
    if annotation and options is not None:
        fix = "remove the annotation"
        yield document.problem_at(f"metadata.annotations.{_FT}", "beside gcsFaultToleranceOptions", fix)
    if options is None and str(annotation).lower() != "true" and "RAY_REDIS_ADDRESS" in env:
        fix = "remove it: a sweep is restored from its records"
        yield document.problem_at(env_key, "RAY_REDIS_ADDRESS without gcsFaultToleranceOptions", fix)
    if options is not None:
        for name in ("REDIS_PASSWORD", "RAY_REDIS_ADDRESS"):
            if name in env:
                fix = "move it into gcsFaultToleranceOptions"
                yield document.problem_at(env_key, f"{name} beside gcsFaultToleranceOptions", fix)
        if params.get("redis-password"):
            where = f"{key}.headGroupSpec.rayStartParams.redis-password"
            yield document.problem_at(where, "beside gcsFaultToleranceOptions", "move it there")
    if params.get("redis-username") or "REDIS_USERNAME" in env:
        fix = "use gcsFaultToleranceOptions.redisUsername"
        yield document.problem_at(env_key, "a Redis user name outside gcsFaultToleranceOptions", fix)


def _token(document: Document, cluster: KubeObject, key: str) -> Iterator[Problem]:
    if get(cluster, "authOptions", "mode") != "token":
        return
    version = str(cluster.get("rayVersion") or "")
    numbers = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?.*", version)
    where, fix = f"{key}.rayVersion", "write the image's version, 2.52.0 or later"
    if not version:
        yield document.problem_at(where, "is missing, and authOptions.mode is token", fix)
    elif numbers is None:
        yield document.problem_at(where, f"{version!r} is no version", fix)
    elif (int(numbers[1]), int(numbers[2])) < (2, 52):
        yield document.problem_at(where, f"Ray {version} does not support token authentication", fix)
    if document.kind == "RayJob" and get(cluster, "authOptions", "enableK8sTokenAuth"):
        where = f"{key}.authOptions.enableK8sTokenAuth"
        yield document.problem_at(where, "is refused for a RayJob", "remove it")
