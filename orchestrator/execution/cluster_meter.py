"""The GPUs that a cluster has during a run, added up over the time."""

from __future__ import annotations

from typing import Protocol

from orchestrator.contracts.cluster_time import Held, HeldByRun
from orchestrator.execution.launcher import LaunchEvent, Tick


class HeldBook(Protocol):
    """Where it is written down."""

    def held(self) -> Held: ...
    def write_held(self, held: Held) -> None: ...


class ClusterMeter:
    """Between two ticks with a GPU count, the cluster is taken to have as many as the first one gave. Each
    count is written down, so that a killed run leaves its record."""

    def __init__(self, book: HeldBook) -> None:
        self._book = book
        self._before: Held | None = None  # of earlier runs; read once there is something to add
        self._last: tuple[float, float] | None = None  # when, and how many GPUs
        self._since = self._gpu_seconds = 0.0

    def hear(self, event: LaunchEvent) -> None:
        if not isinstance(event, Tick) or event.gpus is None:
            return
        if self._before is None or self._last is None:
            self._before, self._since = self._book.held(), event.at
        else:
            at, gpus = self._last
            self._gpu_seconds += (event.at - at) * gpus
        self._last = event.at, event.gpus
        if self._gpu_seconds:
            own = HeldByRun(since=self._since, until=event.at, gpu_seconds=self._gpu_seconds)
            self._book.write_held(Held(runs=(*self._before.runs, own)))
