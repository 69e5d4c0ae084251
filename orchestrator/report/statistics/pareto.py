"""The frontier: results that no other result beats on both cost and quality."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from orchestrator.contracts.target import Target
from orchestrator.report.statistics.arrays import GRAIN, Flags, Floats

CLOSE = 0.01  # one point: "the cheapest within 1 point of the best"

CostAndQuality = tuple[float | None, float | None]  # lower is better, higher is better


NEAR_QUALITY, NEAR_COST = CLOSE, 0.05


def pareto_mask(costs: Floats) -> Flags:
    """Return which points no other one dominates: [..., points] for `costs` of [..., points, objectives].

    Lower is better on each objective. A point is dominated where another one is as good on all objectives and
    better on one, so exact ties stay. A point with a value that is not finite is never on the frontier, and
    dominates none.
    """
    complete = np.asarray(np.isfinite(costs).all(axis=-1))
    finite = np.where(complete[..., None], costs, np.inf)
    mask = _of_two(finite) if costs.shape[-1] == 2 else _of_several(finite)
    return np.asarray(mask & complete)


def _of_two(costs: Floats) -> Flags:
    """Sort by both objectives: of thousands of points, comparing every two would take too long."""
    first, second = costs[..., 0], costs[..., 1]
    order = np.lexsort((second, first), axis=-1)
    cost, other = np.take_along_axis(first, order, axis=-1), np.take_along_axis(second, order, axis=-1)
    edge = np.full((*cost.shape[:-1], 1), np.inf)
    best_before = np.concatenate([edge, np.minimum.accumulate(other, axis=-1)[..., :-1]], axis=-1)
    starts = np.concatenate([np.isfinite(edge), cost[..., 1:] != cost[..., :-1]], axis=-1)
    ties_begin = np.maximum.accumulate(np.where(starts, np.arange(cost.shape[-1]), 0), axis=-1)
    better = np.take_along_axis(other < best_before, ties_begin, axis=-1)
    ties = other == np.take_along_axis(other, ties_begin, axis=-1)
    mask = np.zeros(cost.shape, dtype=np.bool_)
    np.put_along_axis(mask, order, better & ties, axis=-1)
    return mask


def _of_several(costs: Floats) -> Flags:
    mask = np.zeros(costs.shape[:-1], dtype=np.bool_)
    for index in range(costs.shape[-2]):
        point = costs[..., index : index + 1, :]
        dominates = (costs <= point).all(axis=-1) & (costs < point).any(axis=-1)
        mask[..., index] = ~dominates.any(axis=-1)
    return mask


def as_costs(results: Sequence[CostAndQuality]) -> Floats:
    """Return [results, 2] for `pareto_mask`: the cost and the negative quality, NaN where one is missing."""
    rows = [
        (math.nan if cost is None else cost, math.nan if quality is None else -quality)
        for cost, quality in results
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2)


def near_pareto_mask(costs: Floats, quality: Floats) -> Flags:
    """Return which points of each row, [draws, points], are on the frontier or near it: no other one is
    better by more than `NEAR_QUALITY` and costs less than 1 - `NEAR_COST` as much (epsilon-dominance;
    Laumanns et al. 2002)."""
    order = np.argsort(costs, axis=1)
    cost, good = np.take_along_axis(costs, order, axis=1), np.take_along_axis(quality, order, axis=1)
    best = np.maximum.accumulate(good, axis=1)
    # How many of its row are clearly cheaper than each: its place among costs and limits, less its own place.
    both = np.concatenate([(1 - NEAR_COST) * cost, cost], axis=1)
    places = np.argsort(np.argsort(both, axis=1, kind="stable"), axis=1)[:, : cost.shape[1]]
    cheaper = places - np.arange(cost.shape[1])
    beaten = np.take_along_axis(best, np.maximum(cheaper - 1, 0), axis=1) > good + NEAR_QUALITY
    mask = np.zeros(costs.shape, dtype=bool)
    np.put_along_axis(mask, order, ~beaten | (cheaper == 0), axis=1)
    return mask


def best(results: Sequence[CostAndQuality]) -> int | None:
    """Return the index of the highest quality; of equals the cheapest, then the first. None where none is
    complete."""
    first = min(_complete(results), key=lambda r: (-r[2], r[1], r[0]), default=None)
    return None if first is None else first[0]


def cheapest_close(results: Sequence[CostAndQuality], within: float = CLOSE) -> int | None:
    """Return the index of the cheapest whose quality is at most `within` below the best; of equal costs the
    better."""
    complete = _complete(results)
    top = max((quality for _, _, quality in complete), default=math.inf)
    close = [r for r in complete if r[2] >= top - within - GRAIN]
    cheapest = min(close, key=lambda r: (r[1], -r[2], r[0]), default=None)
    return None if cheapest is None else cheapest[0]


def cheapest_enough(results: Sequence[CostAndQuality], target: Target) -> int | None:
    """Return the index of the cheapest that is good enough; of equal costs the better. None where none is."""
    if target.at_least is None:
        return cheapest_close(results, target.within or CLOSE)
    enough = [r for r in _complete(results) if r[2] >= target.at_least - GRAIN]
    cheapest = min(enough, key=lambda r: (r[1], -r[2], r[0]), default=None)
    return None if cheapest is None else cheapest[0]


def _complete(results: Sequence[CostAndQuality]) -> list[tuple[int, float, float]]:
    return [
        (index, cost, quality)
        for index, (cost, quality) in enumerate(results)
        if cost is not None and quality is not None and math.isfinite(cost) and math.isfinite(quality)
    ]
