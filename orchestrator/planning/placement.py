"""In which order trials start, and how long the whole then takes."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def longest_first(items: Sequence[T], seconds: Callable[[T], float | None]) -> list[T]:
    """Longest first, so that no long trial is left for the end. Unknown ones lead, as they may be the
    longest; among equals the given order stands."""
    return sorted(items, key=lambda item: _descending(seconds(item)))


def _descending(seconds: float | None) -> float:
    return float("-inf") if seconds is None else -seconds


def makespan(durations: Sequence[float], slots: int) -> float:
    """Seconds until the last of `durations` ends, each started in order as soon as one of `slots` is free.

    List scheduling; longest first it is at most 4/3 of the best possible (Graham 1969).
    """
    ends = [0.0] * min(slots, max(len(durations), 1))
    for duration in durations:
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)
