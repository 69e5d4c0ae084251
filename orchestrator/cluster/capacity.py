"""How many trials the worker groups of a template can hold at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.cluster.documents import get, items, mapping
from orchestrator.cluster.quantities import quantity
from orchestrator.contracts.device import DEVICE_LABEL
from orchestrator.contracts.trial import Resources


@dataclass(frozen=True)
class Group:
    """One worker group, as Ray will see one of its pods."""

    name: str
    pods: int  # at most
    cpus: int
    gpus: int
    device: str | None = None  # the catalogue's name of its GPUs, by its label

    def holds(self, trial: Resources) -> int:
        """Trials of this size that the group holds when it is as large as it may be. Trials with less than a
        GPU share one; one with several needs them in one pod."""
        if trial.device is not None and trial.device != self.device:
            return 0
        by_cpu = self.cpus // trial.cpus
        if not trial.gpus:
            return self.pods * by_cpu
        by_gpu = self.gpus * int(1 / trial.gpus) if trial.gpus < 1 else int(self.gpus // trial.gpus)
        return self.pods * min(by_cpu, by_gpu)

    def __str__(self) -> str:
        kind = f" {self.device}" if self.gpus and self.device else ""
        return f"{self.name} ({self.cpus} CPU, {self.gpus} GPU{kind})"


def groups(cluster: dict[str, Any]) -> list[Group]:
    """`cluster`: a rayClusterSpec."""
    return [_group(spec) for spec in items(cluster.get("workerGroupSpecs"))]


def _group(spec: dict[str, Any]) -> Group:
    containers = items(get(spec, "template", "spec", "containers")) or [{}]
    limits = mapping(get(containers[0], "resources", "limits"))
    params = mapping(spec.get("rayStartParams"))

    def amount(param: str, resource: str) -> int:
        found = quantity(params.get(param, limits.get(resource, 0)))
        return 0 if found is None else int(found)

    pods = quantity(spec.get("maxReplicas", 0)) or 0
    name = str(spec.get("groupName", "?"))
    device = mapping(spec.get("labels")).get(DEVICE_LABEL)
    return Group(name, int(pods), amount("num-cpus", "cpu"), amount("num-gpus", "nvidia.com/gpu"), device)


def at_once(found: Iterable[Group], trial: Resources) -> int:
    return sum(group.holds(trial) for group in found)
