"""Checks of what a cluster lacks to run the sweeps of an overlay, before anything is submitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus

from orchestrator.cluster import permissions
from orchestrator.cluster.api_errors import RefusalError
from orchestrator.cluster.capacity import WorkerGroup, groups
from orchestrator.cluster.checks.pods import cluster_of
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.cluster_check import ClusterCheck, bad, good, unsure
from orchestrator.cluster.documents import Document, get, mapping, of_kind
from orchestrator.cluster.kuberay_operator import check_operator
from orchestrator.cluster.pod_references import check_claims, check_references
from orchestrator.cluster.quantities import parse_quantity
from orchestrator.cluster.resources import NAMESPACES, NODES, QUOTAS
from orchestrator.cluster.workloads import ready_and_not
from orchestrator.errors import LaunchError

_GPU = "nvidia.com/gpu"
_ROLE = "have your group bound to the role frontier-user (k8s/base/rbac-user.yaml)"

CheckFunction = Callable[[Cluster, Sequence[Document]], Iterator[ClusterCheck]]


def diagnose(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
    """Check a cluster for the objects of an overlay. A check that the user may not run is unsure.

    Raises LaunchError where the API server does not answer.
    """
    version = get(cluster.ask_path("/version"), "gitVersion")
    yield good(f"API server {cluster.host} answers" + (f": Kubernetes {version}" if version else ""))
    checks: tuple[CheckFunction, ...] = (
        check_operator,
        _rights,
        _namespace,
        _quotas,
        _gpus,
        check_claims,
        check_references,
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


def _rights(cluster: Cluster, _: Sequence[Document]) -> Iterator[ClusterCheck]:
    missing = "; ".join(permissions.missing_permissions(cluster))
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
        left = {
            key: (parse_quantity(hard[key]) or 0) - (parse_quantity(used.get(key, 0)) or 0) for key in hard
        }
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


def _groups(documents: Sequence[Document]) -> list[WorkerGroup]:
    clusters = [cluster[0] for cluster in map(cluster_of, documents) if cluster is not None]
    return [group for cluster in clusters for group in groups(cluster)]


def _gpus(cluster: Cluster, documents: Sequence[Document]) -> Iterator[ClusterCheck]:
    gpu_groups = [group for group in _groups(documents) if group.gpus]
    if not gpu_groups:
        yield good("no group of this overlay needs a GPU")
        return
    amounts = [
        parse_quantity(get(node, "status", "allocatable", _GPU) or 0) or 0 for node in cluster.every(NODES)
    ]
    per_node = [int(amount) for amount in amounts if amount]
    yield good(f"{len(per_node)} of {len(amounts)} nodes have GPUs, {sum(per_node)} in all")
    for group in gpu_groups:
        if not any(amount >= group.gpus for amount in per_node):
            yield unsure(
                f"group {group.name}: no node has {group.gpus} {_GPU} now",
                "fine where nodes come on demand; else install the GPU operator or the device plugin",
            )
