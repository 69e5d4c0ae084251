"""What a cluster held for a sweep, billed to its trials or not: nodes that start, wait or are about to go."""

from __future__ import annotations

from pydantic import NonNegativeFloat

from orchestrator.contracts.record import Record


class HeldByRun(Record):
    """The GPUs of all nodes that were up, times the time, from the first look of a run to its last one."""

    since: float  # Unix time
    until: float
    gpu_seconds: NonNegativeFloat


class Held(Record):
    """`held.json` in the sweep's directory, written while trials run. A run of the driver after the other."""

    runs: tuple[HeldByRun, ...] = ()

    @property
    def gpu_seconds(self) -> float:
        return sum(run.gpu_seconds for run in self.runs)
