"""Check that a cluster has what the pods of an overlay name: claims, storage classes, Secrets, ConfigMaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.pods import Pod, created_pods
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.cluster_check import ClusterCheck, bad, good, unsure
from orchestrator.cluster.documents import Document, get, items, mapping
from orchestrator.cluster.resources import CLAIMS, CONFIG_MAPS, SECRETS, STORAGE_CLASSES, Resource


def check_claims(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
    volumes = [v for pod in created_pods(documents) for v in items(pod.spec.get("volumes"))]
    names = {get(volume, "persistentVolumeClaim", "claimName") for volume in volumes}
    classes: set[str] = set()
    for name in sorted(str(name) for name in names if name):
        claim = cluster.get(CLAIMS, name)
        phase = get(claim, "status", "phase")
        if claim is None:
            yield bad(f"there is no claim {name}", "kubectl apply --server-side -k the overlay")
        elif phase == "Lost":
            yield bad(f"claim {name} has lost its volume", "create it again; the records on it are lost")
        else:
            yield (good if phase == "Bound" else unsure)(
                f"claim {name} is {phase}",
                *([] if phase == "Bound" else ["fine where its volume is made with the first pod"]),
            )
            if phase != "Bound":
                classes.add(str(get(claim, "spec", "storageClassName") or ""))
    yield from _storage_classes(cluster, classes)


def _storage_classes(cluster: Cluster, names: set[str]) -> Iterator[ClusterCheck]:
    if not names:
        return
    classes = cluster.every(STORAGE_CLASSES)
    existing = {str(get(body, "metadata", "name")) for body in classes}
    default = "storageclass.kubernetes.io/is-default-class"
    has_default = any(get(body, "metadata", "annotations", default) == "true" for body in classes)
    for name in sorted(names):
        if name and name not in existing:
            yield bad(
                f"there is no storage class {name}", f"name one of: {', '.join(sorted(existing)) or 'none'}"
            )
        elif not name and not has_default:
            yield bad("no storage class is the default", "name one in the overlay's claims")


def check_references(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
    """Check the Secrets and ConfigMaps that the pods name."""
    for resource in (SECRETS, CONFIG_MAPS):
        required: dict[str, bool] = {}  # by name: whether a pod cannot start without it
        for pod in created_pods(documents):
            for name, needed in _named(pod, resource):
                required[name] = required.get(name, False) or needed
        for name, needed in sorted(required.items()):
            if cluster.get(resource, name) is not None:
                yield good(f"{resource.kind} {name} is there")
            elif needed:
                yield bad(
                    f"there is no {resource.kind} {name}: pods that name it never start",
                    _CREATE[resource.kind],
                )
            else:
                yield unsure(f"there is no {resource.kind} {name}; pods start without it")


_CREATE = {
    "Secret": "k8s/components/mlflow/make-secrets.sh makes MLflow's, kubectl create secret any other",
    "ConfigMap": "kubectl apply --server-side -k the overlay again: the name ends in a hash of the content",
}


def _named(pod: Pod, resource: Resource) -> Iterator[tuple[str, bool]]:
    """Yield the name of each reference of a pod, and whether the pod needs it to start."""
    short = "secret" if resource is SECRETS else "configMap"
    for volume in items(pod.spec.get("volumes")):
        source = mapping(volume.get(short))
        name = source.get("secretName") or source.get("name")
        if name:
            yield str(name), source.get("optional") is not True
    for container in pod.containers:
        sources = [mapping(item.get(f"{short}Ref")) for item in items(container.body.get("envFrom"))]
        sources += [
            mapping(get(item, "valueFrom", f"{short}KeyRef")) for item in items(container.body.get("env"))
        ]
        for source in sources:
            if source.get("name"):
                yield str(source["name"]), source.get("optional") is not True
    if resource is SECRETS:
        yield from (
            (str(item["name"]), True) for item in items(pod.spec.get("imagePullSecrets")) if "name" in item
        )
