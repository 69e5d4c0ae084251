"""The frontier of one task and comparison key on any two or three axes, and what to read off it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from orchestrator.contracts.record import Record
from orchestrator.report.analysis.hypervolume import Hypervolume, hypervolume
from orchestrator.report.analysis.objectives import OBJECTIVES, Objective, measurement, oriented_costs
from orchestrator.report.analysis.probabilities import (
    FrontierProbability,
    costs_drawn,
    frontier_probabilities,
)
from orchestrator.report.results.point import Point
from orchestrator.report.statistics.arrays import Flags, Floats
from orchestrator.report.statistics.bootstrap import Draws
from orchestrator.report.statistics.pareto import cheapest_close, pareto_mask
from orchestrator.report.statistics.replicates import Replicates
from orchestrator.report.text import over

DEFAULT = (Objective.QUALITY, Objective.DEVICE_HOURS)
WITHIN = (0.5, 1.0, 2.0, 5.0)  # points
_LIKELY = 0.05  # from which probability on a point that is not on the frontier is named
_MANY = 60  # points, of which more get no probability on axes that were not asked for
_MOST_OF_THREE = 60  # points that three axes are drawn again for

Drawn = tuple[list[Floats], Floats]  # each cost, and quality: [draws, points]
Chances = Mapping[str, FrontierProbability | None]  # by name


class CheapestWithin(Record):
    """The first cell by the second axis whose quality is at most `points` hundredths below the best."""

    points: float
    cell: str


class FrontierMember(Record):
    """A point of a frontier. `probability`: of being on it; `near`: of being on it or so near that no other
    one is more than 1 point better and more than 5 % cheaper. None for one seed."""

    cell: str  # model/domain/method
    figures: dict[Objective, float]
    probability: float | None = None
    near: float | None = None


class FrontierView(Record):
    """The frontier of one task and comparison key on two or three axes; quality is the first of them."""

    axes: tuple[Objective, ...]
    comparison: str | None
    members: tuple[FrontierMember, ...]  # by the second axis, rising
    others: tuple[FrontierMember, ...] = ()  # not on it, most probable first; only those from 1 in 20 on
    missing: tuple[str, ...] = ()  # cells with a quality and without a figure on another axis: never on it
    knee: str | None = None  # cell
    within: tuple[CheapestWithin, ...] = ()  # 0.5, 1, 2 and 5 points; none of a loss
    hypervolume: Hypervolume | None = None  # of two axes, where quality is no loss
    notes: tuple[str, ...] = ()


def frontier_views(
    points: Sequence[Point],
    replicates: Mapping[str, Replicates],
    moved: Draws | None,
    asked: Sequence[tuple[Objective, ...]] = (),
    *,
    loss: bool = False,
) -> list[tuple[FrontierView, Chances]]:
    """Quality against device-hours, against each other cost that any point tells, and what was `asked` for;
    each with the probabilities of all points, as far as they were drawn.

    `points` share one comparison key. Those without a quality are in no view. `moved`: the draws of those
    that have one; None where no cell has two seeds. `loss`: quality is one, with its sign turned.
    """
    scored = [p for p in points if measurement(p, Objective.QUALITY) is not None]
    measured = [
        s
        for s in Objective
        if s is not Objective.QUALITY and any(measurement(p, s) is not None for p in scored)
    ]
    selected = dict.fromkeys([DEFAULT, *((Objective.QUALITY, objective) for objective in measured), *asked])
    if not scored:
        return []
    return [_view(axes, scored, replicates, moved, (axes in asked, loss)) for axes in selected]


def _view(
    axes: tuple[Objective, ...],
    scored: Sequence[Point],
    replicates: Mapping[str, Replicates],
    moved: Draws | None,
    of: tuple[bool, bool],
) -> tuple[FrontierView, Chances]:
    asked, loss = of
    costs = oriented_costs(scored, axes)
    complete: Flags = np.asarray(np.isfinite(costs).all(axis=1))
    inside = [p for p, ok in zip(scored, complete, strict=True) if ok]
    with_probability = asked or axes == DEFAULT or len(inside) <= _MANY
    drawn = _drawn(axes, inside, moved) if with_probability and inside else None
    chance: Chances = {}
    if drawn is not None and moved is not None:
        chance = frontier_probabilities(axes, inside, replicates, moved, near=axes == DEFAULT)
    members = [_member(p, axes, chance) for p, on in zip(scored, pareto_mask(costs), strict=True) if on]
    members.sort(key=lambda m: (m.figures[axes[1]], m.cell))
    names = {m.cell for m in members}
    others = [_member(p, axes, chance) for p in inside if p.name not in names]
    likely = [m for m in others if m.probability is not None and m.probability >= _LIKELY]
    first = [(measurement(p, axes[1]), measurement(p, Objective.QUALITY)) for p in inside]
    pair = len(axes) == 2
    # Failed seeds and seeds that worked are two groups, which no draw describes.
    steady = None if any(replicates[p.name].failed for p in inside) else drawn
    view = FrontierView(
        axes=axes,
        comparison=scored[0].comparison,
        members=tuple(members),
        others=tuple(sorted(likely, key=lambda m: (-(m.probability or 0.0), m.cell))),
        missing=tuple(p.name for p, ok in zip(scored, complete, strict=True) if not ok),
        knee=knee(members, axes[1]) if pair else None,
        within=tuple(_within(points, first, inside) for points in WITHIN) if inside and not loss else (),
        hypervolume=_volume(costs[complete], axes[1], steady, over(inside)) if pair and not loss else None,
        notes=_notes(axes, complete, inside, replicates, with_probability),
    )
    return view, chance


def _volume(costs: Floats, objective: Objective, drawn: Drawn | None, sure: str) -> Hypervolume | None:
    redrawn = None if drawn is None else (drawn[0][0], drawn[1])
    return hypervolume(costs[:, 1], -costs[:, 0], objective, redrawn, sure)


def _drawn(axes: tuple[Objective, ...], inside: Sequence[Point], moved: Draws | None) -> Drawn | None:
    if moved is None or (len(axes) > 2 and len(inside) > _MOST_OF_THREE):
        return None
    draws = moved.of([p.name for p in inside])
    return costs_drawn(axes, inside, draws.hours), draws.quality


def _member(point: Point, axes: tuple[Objective, ...], chance: Chances) -> FrontierMember:
    values = {objective: value for objective in axes if (value := measurement(point, objective)) is not None}
    probability = chance.get(point.name)
    return FrontierMember(
        cell=point.name,
        figures=values,
        probability=probability and probability.on,
        near=probability and probability.near,
    )


def _within(
    points: float, first: Sequence[tuple[float | None, float | None]], inside: Sequence[Point]
) -> CheapestWithin:
    index = cheapest_close(first, points / 100)
    assert index is not None
    return CheapestWithin(points=points, cell=inside[index].name)


def knee(members: Sequence[FrontierMember], objective: Objective) -> str | None:
    """Return the member farthest above the straight line from the cheapest to the best, with cost on a
    logarithmic axis: before it quality is cheap, after it expensive. None for fewer than three members, or a
    cost of 0."""
    line = sorted((m.figures[objective], m.figures[Objective.QUALITY], m.cell) for m in members)
    if len({(cost, quality) for cost, quality, _ in line}) < 3 or line[0][0] <= 0:
        return None
    costs, heights = [math.log(cost) for cost, _, _ in line], [quality for _, quality, _ in line]
    width, rise = costs[-1] - costs[0], heights[-1] - heights[0]
    if width <= 0 or rise <= 0:
        return None
    above = [
        (h - heights[0]) / rise - (c - costs[0]) / width
        for c, h in zip(costs[1:-1], heights[1:-1], strict=True)
    ]
    top = max(above)
    return line[1 + above.index(top)][2] if top > 0 else None


def _notes(
    axes: tuple[Objective, ...],
    complete: Flags,
    inside: Sequence[Point],
    replicates: Mapping[str, Replicates],
    with_probability: bool,
) -> tuple[str, ...]:
    lines = ["No hypervolume is given for three axes."] if len(axes) > 2 else []
    without = int((~complete).sum())
    if without:
        titles = " or ".join(OBJECTIVES[objective][0] for objective in axes[1:])
        cells = "1 cell has" if without == 1 else f"{without} cells have"
        lines.append(f"{cells} no value for {titles}, so cannot be on this frontier.")
    if not inside:
        return tuple(lines)
    if not with_probability:
        lines.append("Frontier probabilities are omitted here; request these axes to compute them.")
        return tuple(lines)
    lines.append(
        "Probabilities are counted from scores and costs as they may truly be, given those of all cells, so "
        "luck in the scores is allowed for. Of two cells that cost nearly the same either may be cheaper. "
        "They hold over many sweeps, not for each: where a few cells are clearly ahead, a cell given 30 "
        "to 80 % is on it more often."
    )
    single = sum(len(replicates[p.name].seeds) < 2 for p in inside if p.name in replicates)
    if single:
        cells = "1 cell has" if single == 1 else f"{single} cells have"
        scores = "its score varies" if single == 1 else "their scores vary"
        lines.append(
            f"{cells} one seed, so no frontier probability is given for {'it' if single == 1 else 'them'}. "
            f"The other probabilities assume that {scores} over seeds as much as those of the other cells."
        )
    with_documents = sum(replicates[p.name].test_set is not None for p in inside if p.name in replicates)
    if with_documents < len(inside):
        lines.append(
            "Probabilities use only the seeds for results without a score for each document "
            f"({len(inside) - with_documents} of {len(inside)})."
        )
    return tuple(lines)
