"""What the worker groups of a template may grow to, as Ray will see their pods."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.cluster.documents import KubeObject, get, items, mapping
from orchestrator.cluster.quantities import parse_quantity
from orchestrator.contracts.capacity import NodeKind
from orchestrator.contracts.device import DEVICE_LABEL


@dataclass(frozen=True)
class WorkerGroup:
    """One worker group."""

    name: str
    pods: int  # at most
    cpus: int
    gpus: int
    device: str | None = None  # the catalogue's name of its GPUs, by its label

    def __str__(self) -> str:
        kind = f" {self.device}" if self.gpus and self.device else ""
        return f"{self.name} ({self.cpus} CPU, {self.gpus} GPU{kind})"


def groups(cluster: KubeObject) -> list[WorkerGroup]:
    """`cluster`: a rayClusterSpec."""
    return [_group(spec) for spec in items(cluster.get("workerGroupSpecs"))]


def node_kinds(worker_groups: Iterable[WorkerGroup]) -> tuple[NodeKind, ...]:
    """Return a kind of node for each group that may have a pod."""
    return tuple(
        NodeKind(
            nodes=group.pods, cpus=group.cpus, gpus=group.gpus, device=group.device if group.gpus else None
        )
        for group in worker_groups
        if group.pods
    )


def _group(spec: KubeObject) -> WorkerGroup:
    containers = items(get(spec, "template", "spec", "containers")) or [{}]
    limits = mapping(get(containers[0], "resources", "limits"))
    params = mapping(spec.get("rayStartParams"))

    def amount(param: str, resource: str) -> int:
        number = parse_quantity(params.get(param, limits.get(resource, 0)))
        return 0 if number is None else int(number)

    pods = parse_quantity(spec.get("maxReplicas", 0)) or 0
    name = str(spec.get("groupName", "?"))
    device = mapping(spec.get("labels")).get(DEVICE_LABEL)
    return WorkerGroup(
        name, int(pods), amount("num-cpus", "cpu"), amount("num-gpus", "nvidia.com/gpu"), device
    )
