"""Checks of what a cluster lacks to run the sweeps of an overlay, before anything is submitted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from orchestrator.cluster import permissions
from orchestrator.cluster.api_errors import RefusalError
from orchestrator.cluster.capacity import groups
from orchestrator.cluster.checks.pods import Pod, cluster_of, created_pods
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.documents import Document, get, items, mapping, of_kind
from orchestrator.cluster.quantities import quantity
from orchestrator.cluster.resources import (
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    NODES,
    QUOTAS,
    SECRETS,
    STORAGE_CLASSES,
    Resource,
)
from orchestrator.cluster.workloads import ready_and_not
from orchestrator.errors import LaunchError

OLDEST_KUBERAY = (1, 6)
_OPERATOR = "app.kubernetes.io/name=kuberay-operator"
_NEW_FIELD = "preRunningDeadlineSeconds"  # of RayJobs since 1.6
_GPU = "nvidia.com/gpu"
_ROLE = "have your group bound to the role frontier-user (k8s/base/rbac-user.yaml)"


class CheckStatus(StrEnum):
    GOOD = "good"
    BAD = "bad"
    UNSURE = "unsure"  # it may be good: the user may not look, or nodes come on demand


@dataclass(frozen=True)
class ClusterCheck:
    status: CheckStatus
    message: str
    fix: str | None = None


def good(message: str) -> ClusterCheck:
    return ClusterCheck(CheckStatus.GOOD, message)


def bad(message: str, fix: str) -> ClusterCheck:
    return ClusterCheck(CheckStatus.BAD, message, fix)


def unsure(message: str, fix: str | None = None) -> ClusterCheck:
    return ClusterCheck(CheckStatus.UNSURE, message, fix)


CheckFunction = Callable[[Cluster, Sequence[Document]], Iterator[ClusterCheck]]


def diagnose(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
    """Check a cluster for the objects of an overlay. A check that the user may not run is unsure.

    Raises LaunchError where the API server does not answer.
    """
    version = get(cluster.ask_path("/version"), "gitVersion")
    yield good(f"API server {cluster.host} answers" + (f": Kubernetes {version}" if version else ""))
    checks: tuple[CheckFunction, ...] = (
        _kuberay,
        _rights,
        _namespace,
        _quotas,
        _gpus,
        _claims,
        _references,
        _workloads,
    )
    hidden: dict[str, None] = {}
    for check in checks:
        try:
            yield from check(cluster, documents)
        except LaunchError as error:
            problem, _, fix = str(error).partition("\n    -> ")
            status = error.status if isinstance(error, RefusalError) else None
            if status == HTTPStatus.FORBIDDEN:
                hidden[problem.partition(" in namespace ")[0].removeprefix("you may not ")] = None
                continue
            yield bad(problem, fix)
            if status == HTTPStatus.UNAUTHORIZED:
                return  # so would all others
    if hidden:
        text = f"you may not {', '.join(hidden)}: the checks that need it were skipped"
        yield unsure(text, _ROLE)


def _kuberay(cluster: Cluster, _: Sequence[Document]) -> Iterator[ClusterCheck]:
    kinds = {str(item.get("name")) for item in items(get(cluster.ask_path("/apis/ray.io/v1"), "resources"))}
    absent = {"rayjobs", "rayclusters"} - kinds
    if absent:
        yield bad(
            f"KubeRay is not installed: missing CRDs: {', '.join(sorted(absent))}",
            "install its operator, 1.6 or later, by its chart (k8s/README.md names the version)",
        )
        return
    operators = _operators(cluster)
    version = _version_of(operators)
    if operators and not any(get(body, "status", "readyReplicas") for body in operators):
        where = get(operators[0], "metadata", "namespace")
        yield bad(
            f"no pod of KubeRay's operator is ready (namespace {where}): no RayJob will start",
            f"kubectl -n {where} get pods -l {_OPERATOR} shows why",
        )
    if version is None:
        schema = str(cluster.ask_path("/openapi/v3/apis/ray.io/v1") or "")
        if not schema:
            yield unsure("KubeRay is installed; its version cannot be seen")
        elif _NEW_FIELD in schema:
            yield good("KubeRay is installed, 1.6 or later by its schema")
        else:
            yield bad("KubeRay is older than 1.6 by its schema", "upgrade operator and CRDs")
    elif version < OLDEST_KUBERAY:
        yield bad(
            f"KubeRay {_dotted(version)} is older than {_dotted(OLDEST_KUBERAY)}", "upgrade operator and CRDs"
        )
    else:
        yield good(f"KubeRay {_dotted(version)}")


def _operators(cluster: Cluster) -> list[dict[str, Any]]:
    """Return the operator's deployments, or none where the user may not list them."""
    try:
        return cluster.every(DEPLOYMENTS, labels=_OPERATOR, everywhere=True)
    except RefusalError:
        return []


def _version_of(deployments: Sequence[dict[str, Any]]) -> tuple[int, ...] | None:
    """Return the version of the operator's image, or None if its tag is no version."""
    containers = [
        c for body in deployments for c in items(get(body, "spec", "template", "spec", "containers"))
    ]
    tags = [re.search(r":v?(\d+)\.(\d+)", str(container.get("image"))) for container in containers]
    return next(((int(tag[1]), int(tag[2])) for tag in tags if tag), None)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _rights(cluster: Cluster, _: Sequence[Document]) -> Iterator[ClusterCheck]:
    missing = "; ".join(permissions.missing(cluster))
    if missing:
        yield bad(f"in namespace {cluster.namespace} you may not {missing}", _ROLE)
    else:
        yield good(f"you have every right that the commands need in namespace {cluster.namespace}")


def _workloads(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
    ready, others = ready_and_not(cluster, documents)
    if ready:
        yield good(f"{', '.join(ready)}: ready")
    for group in others:
        yield (bad if group.fatal else unsure)(f"{', '.join(group.names)}: {group.why}", group.fix)


def _namespace(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
    live = cluster.get(NAMESPACES, cluster.namespace)
    if live is None:
        yield bad(f"there is no namespace {cluster.namespace}", "kubectl apply --server-side -k the overlay")
        return
    key = "pod-security.kubernetes.io/enforce"
    profile = str(mapping(get(live, "metadata", "labels")).get(key, ""))
    declared = [mapping(d.metadata.get("labels")).get(key) for d in of_kind(documents, "Namespace")]
    if profile == "restricted" or profile in declared:
        yield good(f"namespace {cluster.namespace} enforces Pod Security {profile}")
    else:
        yield unsure(
            f"namespace {cluster.namespace} enforces Pod Security {profile or 'nothing'}, not restricted",
            f"label it {key}=restricted: the pods of this overlay pass it",
        )


def _quotas(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
    quotas = cluster.every(QUOTAS)
    if not quotas:
        yield unsure("no ResourceQuota: a sweep may take every GPU", "k8s/base/quota.yaml has one")
    for body in quotas:
        hard, used = mapping(get(body, "status", "hard")), mapping(get(body, "status", "used"))
        left = {key: (quantity(hard[key]) or 0) - (quantity(used.get(key, 0)) or 0) for key in hard}
        name = get(body, "metadata", "name")
        needs_gpus = any(group.gpus for group in _groups(documents))
        used_up = [k for k, v in left.items() if v <= 0 and (needs_gpus or not k.endswith(_GPU))]
        amounts = ", ".join(f"{left[key]} of {hard[key]} {key}" for key in sorted(hard))
        if used_up:
            yield bad(
                f"quota {name} is used up: {', '.join(used_up)}", "stop a sweep, or ask for a larger one"
            )
        else:
            yield good(f"quota {name} has left: {amounts}")


def _groups(documents: Sequence[Document]) -> list[Any]:
    clusters = [cluster[0] for cluster in map(cluster_of, documents) if cluster is not None]
    return [group for cluster in clusters for group in groups(cluster)]


def _gpus(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
    gpu_groups = [group for group in _groups(documents) if group.gpus]
    if not gpu_groups:
        yield good("no group of this overlay needs a GPU")
        return
    amounts = [quantity(get(node, "status", "allocatable", _GPU) or 0) or 0 for node in cluster.every(NODES)]
    per_node = [int(amount) for amount in amounts if amount]
    yield good(f"{len(per_node)} of {len(amounts)} nodes have GPUs, {sum(per_node)} in all")
    for group in gpu_groups:
        if not any(amount >= group.gpus for amount in per_node):
            yield unsure(
                f"group {group.name}: no node has {group.gpus} {_GPU} now",
                "fine where nodes come on demand; else install the GPU operator or the device plugin",
            )


def _claims(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
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


def _references(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
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
    "ConfigMap": "kubectl apply --server-side -k the overlay again: the name carries a hash of the content",
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
