"""Whether the overlay's own Deployments and StatefulSets run, MLflow and its database among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.cluster.client import Cluster
from orchestrator.cluster.documents import Document, KubeObject, get, mapping, of_kind
from orchestrator.cluster.pending import pending_pods
from orchestrator.cluster.resources import DEPLOYMENTS, PODS, STATEFUL_SETS

_RESOURCES = {resource.kind: resource for resource in (DEPLOYMENTS, STATEFUL_SETS)}
_APPLY = "kubectl apply --server-side -k the overlay"
_DESCRIBE = "wait for them; kubectl describe shows more"


@dataclass(frozen=True)
class NotReady:
    """One cause, and all that it stops."""

    names: tuple[str, ...]  # `Deployment mlflow`
    why: str
    fix: str
    fatal: bool  # no pod of one is ready, or it is missing


def ready_and_not(cluster: Cluster, documents: Sequence[Document]) -> tuple[list[str], list[NotReady]]:
    """The names of those that are ready, and why the others are not, each cause once."""
    ready: list[str] = []
    causes: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for document in of_kind(documents, *_RESOURCES):
        name = f"{document.kind} {document.name}"
        live = cluster.get(_RESOURCES[document.kind], document.name)
        if live is None:
            causes["is missing", _APPLY, True].append(name)
            continue
        desired, there = _count(live, "spec", 1), _count(live, "status", 0)
        if there >= desired:
            ready.append(name)
            continue
        for why, fix in _causes(cluster, live) or [(f"{there} of {desired} pods are ready", _DESCRIBE)]:
            causes[why, fix, there == 0].append(name)
    return ready, [NotReady(tuple(names), *cause) for cause, names in causes.items()]


def _count(live: KubeObject, part: str, default: int) -> int:
    count = get(live, part, "replicas" if part == "spec" else "readyReplicas")
    return default if count is None else int(count)


def _causes(cluster: Cluster, live: KubeObject) -> list[tuple[str, str]]:
    labels = mapping(get(live, "spec", "selector", "matchLabels"))
    pods = cluster.every(PODS, labels=",".join(f"{key}={value}" for key, value in labels.items()))
    return [
        (group.why, group.fix or _DESCRIBE) for group in pending_pods(pods, [], cluster.command("doctor"))
    ]
