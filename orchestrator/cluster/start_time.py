"""How long a pod takes to start in a cluster, its node and image included."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from orchestrator.cluster.documents import KubeObject, get

_ASSUMED_SECONDS = 180.0  # a node of a cloud, and an image of some gigabytes
_SPREAD = 2.0  # an assumed time may be so many times shorter or longer
_MOST_SECONDS = 3600.0  # longer ones waited in a queue, or for a person


@dataclass(frozen=True)
class StartTime:
    """The start time of a pod, in seconds. `sweeps` is the number that it was measured on; 0 if it is
    assumed."""

    seconds: float
    low: float
    high: float
    sweeps: int

    def __str__(self) -> str:
        if not self.sweeps:
            return f"{self.seconds:.0f} s, which is assumed: no sweep here has measured it"
        many = "1 sweep" if self.sweeps == 1 else f"{self.sweeps} sweeps"
        return f"{self.seconds:.0f} s, as measured on {many} here"


ASSUMED = StartTime(_ASSUMED_SECONDS, _ASSUMED_SECONDS / _SPREAD, _ASSUMED_SECONDS * _SPREAD, 0)


def start_time(ray_jobs: Iterable[KubeObject]) -> StartTime:
    """Return the time from the submissions of earlier sweeps to the starts of their drivers: a head is a pod
    like others."""
    seen = [seconds for body in ray_jobs if (seconds := _seconds(body)) is not None]
    if not seen:
        return ASSUMED
    return StartTime(statistics.median(seen), min(seen), max(seen), len(seen))


def _seconds(ray_job: KubeObject) -> float | None:
    """Return None if its driver has not started, or it was suspended, or started a second cluster."""
    ended = get(ray_job, "status", "rayJobInfo", "startTime")
    if ended is None or get(ray_job, "status", "failed"):
        return None
    began = get(ray_job, "status", "startTime") or get(ray_job, "metadata", "creationTimestamp")
    try:
        seconds = (datetime.fromisoformat(str(ended)) - datetime.fromisoformat(str(began))).total_seconds()
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds <= _MOST_SECONDS else None
