"""The frontier: results that no other result beats on both cost and quality."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.contracts.target import Target
from orchestrator.report.statistics.bootstrap import Floats

CLOSE = 0.01  # one point: "the cheapest within 1 point of the best"
_GRAIN = 1e-9  # what a difference of floats may be off by

Figures = tuple[float | None, float | None]  # cost (lower is better), quality (higher is better)


def undominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`costs`: [n, axes], lower is better on each. Whether no other row is as good on all and better on one:
    exact ties stay. A row with a figure that is not finite is never among them, and beats none."""
    complete = np.flatnonzero(np.isfinite(costs).all(axis=1))
    others = costs[complete]
    found = np.zeros(len(costs), dtype=np.bool_)
    for index in complete:
        row = costs[index]
        found[index] = not ((others <= row).all(axis=1) & (others < row).any(axis=1)).any()
    return found


def undominated_rows(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The same of each of several sets of finite figures at once: [sets, n, axes]."""
    one, other = costs[:, :, None, :], costs[:, None, :, :]
    beaten = np.ones(costs.shape[:2] + costs.shape[1:2], dtype=np.bool_)
    better = np.zeros_like(beaten)
    for axis in range(costs.shape[2]):
        beaten &= other[..., axis] <= one[..., axis]
        better |= other[..., axis] < one[..., axis]
    return np.logical_not((beaten & better).any(axis=2))


NEAR_QUALITY, NEAR_COST = CLOSE, 0.05


def on_frontier_rows(costs: Floats, quality: Floats) -> NDArray[np.bool_]:
    """The frontier of each row of [draws, points]: what no other one of its row beats on both; ties stay."""
    rows = np.arange(len(costs))[:, None]
    order = np.lexsort((-quality, costs), axis=1)
    cost, good = costs[rows, order], quality[rows, order]
    best_before = np.maximum.accumulate(good, axis=1)
    best_before = np.concatenate([np.full((len(good), 1), -np.inf), best_before[:, :-1]], axis=1)
    starts = np.concatenate([np.ones((len(cost), 1), dtype=bool), cost[:, 1:] != cost[:, :-1]], axis=1)
    first = np.maximum.accumulate(np.where(starts, np.arange(cost.shape[1]), 0), axis=1)
    above = good > best_before
    on = above[rows, first] & (good == good[rows, first])
    found = np.zeros(costs.shape, dtype=bool)
    found[rows, order] = on
    return found


def near_frontier_rows(costs: Floats, quality: Floats) -> NDArray[np.bool_]:
    """Those of each row that no other one beats by more than `NEAR_QUALITY` and at less than 1 - `NEAR_COST`
    of its cost at the same time: on the frontier, or so near that nobody would miss them (epsilon-dominance;
    Laumanns et al. 2002)."""
    order = np.argsort(costs, axis=1)
    cost, good = np.take_along_axis(costs, order, axis=1), np.take_along_axis(quality, order, axis=1)
    best = np.maximum.accumulate(good, axis=1)
    # How many of its row are clearly cheaper than each: its place among costs and limits, less its own place.
    both = np.concatenate([(1 - NEAR_COST) * cost, cost], axis=1)
    places = np.argsort(np.argsort(both, axis=1, kind="stable"), axis=1)[:, : cost.shape[1]]
    cheaper = places - np.arange(cost.shape[1])
    beaten = np.take_along_axis(best, np.maximum(cheaper - 1, 0), axis=1) > good + NEAR_QUALITY
    found = np.zeros(costs.shape, dtype=bool)
    np.put_along_axis(found, order, ~beaten | (cheaper == 0), axis=1)
    return found


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
