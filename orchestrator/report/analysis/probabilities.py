"""How likely each point is on a frontier, or near it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from orchestrator.report.analysis.objectives import Objective, measurement
from orchestrator.report.results.point import Point
from orchestrator.report.statistics.arrays import Floats
from orchestrator.report.statistics.bootstrap import DRAWS, Draws, generator
from orchestrator.report.statistics.pareto import near_pareto_mask, pareto_mask
from orchestrator.report.statistics.posterior import factors, scores
from orchestrator.report.statistics.replicates import Replicates

_MOVING = (Objective.DEVICE_HOURS, Objective.WALL_TIME, Objective.MONEY)
_FEWEST = 3  # cells, of which something can be learnt about the others


class FrontierProbability(NamedTuple):
    """Probabilities. `near` is that of being on it or near it, see `near_pareto_mask`; None unless it was
    asked for."""

    on: float
    near: float | None


def costs_drawn(axes: Sequence[Objective], points: Sequence[Point], hours: Floats) -> list[Floats]:
    """Return [draws, points] for each cost. Time varies with the seeds, and money with time; other costs stay
    as measured."""
    still = [_still(objective, points) for objective in axes[1:]]
    return [
        cost * hours if objective in _MOVING else np.broadcast_to(cost, hours.shape)
        for objective, cost in zip(axes[1:], still, strict=True)
    ]


def frontier_probabilities(
    axes: Sequence[Objective],
    points: Sequence[Point],
    replicates: Mapping[str, Replicates],
    moved: Draws,
    *,
    near: bool,
) -> dict[str, FrontierProbability | None]:
    """Return the probabilities by name, None for one seed. `points` have a value on each of the `axes`,
    quality first."""
    drawn = moved.of([p.name for p in points])
    shares = _shares(costs_drawn(axes, points, drawn.hours), drawn.quality, near)
    doubt = [index for index, share in enumerate(shares.max(axis=0)) if share > 0]
    if len(doubt) >= _FEWEST:
        open_points = [points[index] for index in doubt]
        cells = [replicates[p.name] for p in open_points]
        random = generator(moved.place, *axes, "true")
        true = scores(cells, _still(axes[1], open_points), DRAWS, random)
        costs = costs_drawn(axes, open_points, factors(cells, DRAWS, random))
        shares[:, doubt] = _shares(costs, true, near)
    return {
        p.name: FrontierProbability(float(on), float(close) if near else None)
        if len(replicates[p.name].seeds) > 1
        else None
        for p, (on, close) in zip(points, shares.T.round(2), strict=True)
    }


def _shares(costs: Sequence[Floats], quality: Floats, near: bool) -> Floats:
    """Return [2, points]: the share of draws on the frontier, and near it; the first twice unless `near`."""
    on = pareto_mask(np.stack([*costs, -quality], axis=2)).mean(axis=0)
    return np.stack([on, near_pareto_mask(costs[0], quality).mean(axis=0) if near else on])


def _still(objective: Objective, points: Sequence[Point]) -> Floats:
    return np.array([measurement(p, objective) for p in points], dtype=np.float64)
