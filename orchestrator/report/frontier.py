"""The frontier: results that no other result beats on both cost and quality."""

from __future__ import annotations

import math
from collections.abc import Sequence

from orchestrator.contracts.target import Target

CLOSE = 0.01  # one point: "the cheapest within 1 point of the best"
_GRAIN = 1e-9  # what a difference of floats may be off by

Figures = tuple[float | None, float | None]  # cost (lower is better), quality (higher is better)


def on_frontier(results: Sequence[Figures]) -> list[bool]:
    """Whether each result is on the frontier, in their order.

    A result is dominated where another is at least as good on both figures and better on one: exact ties
    stay. One with a missing or non-finite figure is never on it.
    """
    found = [False] * len(results)
    best, at_cost = -math.inf, -math.inf
    for index, cost, quality in sorted(_complete(results), key=lambda r: (r[1], -r[2], r[0])):
        if quality > best or (quality == best and cost == at_cost):
            found[index] = True
            best, at_cost = quality, cost
    return found


def best(results: Sequence[Figures]) -> int | None:
    """Index of the highest quality; of equals the cheapest, then the first. None where none is complete."""
    found = min(_complete(results), key=lambda r: (-r[2], r[1], r[0]), default=None)
    return None if found is None else found[0]


def cheapest_close(results: Sequence[Figures], within: float = CLOSE) -> int | None:
    """Index of the cheapest whose quality is at most `within` below the best; of equal costs the better."""
    complete = _complete(results)
    top = max((quality for _, _, quality in complete), default=math.inf)
    close = [r for r in complete if r[2] >= top - within - _GRAIN]
    found = min(close, key=lambda r: (r[1], -r[2], r[0]), default=None)
    return None if found is None else found[0]


def cheapest_enough(results: Sequence[Figures], target: Target) -> int | None:
    """Index of the cheapest that is good enough; of equal costs the better. None where none is."""
    if target.at_least is None:
        return cheapest_close(results, target.within or CLOSE)
    enough = [r for r in _complete(results) if r[2] >= target.at_least - _GRAIN]
    found = min(enough, key=lambda r: (r[1], -r[2], r[0]), default=None)
    return None if found is None else found[0]


def _complete(results: Sequence[Figures]) -> list[tuple[int, float, float]]:
    return [
        (index, cost, quality)
        for index, (cost, quality) in enumerate(results)
        if cost is not None and quality is not None and math.isfinite(cost) and math.isfinite(quality)
    ]
