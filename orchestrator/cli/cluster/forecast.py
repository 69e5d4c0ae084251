"""The wall clock of a sweep in a cluster, from its submission."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.capacity import WorkerGroup
from orchestrator.cluster.start_time import StartTime
from orchestrator.planning import Plan
from orchestrator.units import duration, quantity


def cluster_forecast(plan: Plan, groups: Sequence[WorkerGroup], start: StartTime) -> Iterator[str]:
    """Head and workers start one after the other; staging is not in it."""
    forecast = plan.forecast
    grows = ", ".join(f"{group} to {quantity(group.pods, 'pod')}" for group in groups if group.pods)
    at_once = f": {quantity(plan.slots, 'trial')} at once" if plan.slots else ""
    if plan.to_run or forecast.tuning_candidates:
        yield f"the groups may grow: {grows}{at_once}"
    if forecast.wall_seconds is None or forecast.wall_interval is None:
        return
    low = forecast.wall_interval[0] + 2 * start.low
    high = forecast.wall_interval[1] + 2 * start.high
    yield (
        f"in the cluster {duration(forecast.wall_seconds + 2 * start.seconds)} ({duration(low)} to "
        f"{duration(high)}) from submission, staging not counted; a pod, its node and image start in {start}"
    )
