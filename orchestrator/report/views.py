"""The frontier of one task and comparison key on any two or three axes, and what to read off it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.report.evidence import SIDES, FrontierView, Hypervolume, Member, Side, Within
from orchestrator.report.frontier import cheapest_close, on_frontier
from orchestrator.report.membership import (
    DRAWS,
    cost_draws,
    generator,
    on_frontier_rows,
    quality_draws,
)
from orchestrator.report.model import Point
from orchestrator.report.replicates import Replicates
from orchestrator.report.sides import figure, oriented, undominated

DEFAULT = (Side.QUALITY, Side.DEVICE_HOURS)
WITHIN = (0.5, 1.0, 2.0, 5.0)  # points
_LIKELY = 0.05  # from which probability on a point that is not on the frontier is named
_MANY = 60  # points, of which more get no probability on axes that were not asked for
_MOST_OF_THREE = 60  # points that three axes are drawn anew for

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Chances = Mapping[str, float | None]  # of being on a frontier, by name


def views(
    task: str,
    points: Sequence[Point],
    found: Mapping[str, Replicates],
    asked: Sequence[tuple[Side, ...]] = (),
) -> list[tuple[FrontierView, Chances]]:
    """Quality against device-hours, against each other cost that any point tells, and what was `asked` for;
    each with the probabilities of all points, as far as they were drawn.

    `points` share one comparison key. Those without a quality are in no view.
    """
    scored = [p for p in points if figure(p, Side.QUALITY) is not None]
    told = [s for s in Side if s is not Side.QUALITY and any(figure(p, s) is not None for p in scored)]
    wanted = dict.fromkeys([DEFAULT, *((Side.QUALITY, side) for side in told), *asked])
    return [_view(task, axes, scored, found, axes in asked) for axes in wanted] if scored else []


def _view(
    task: str, axes: tuple[Side, ...], scored: Sequence[Point], found: Mapping[str, Replicates], asked: bool
) -> tuple[FrontierView, Chances]:
    costs = oriented(scored, axes)
    complete: Flags = np.asarray(np.isfinite(costs).all(axis=1))
    flags = _flags(costs)
    inside = [p for p, whole in zip(scored, complete, strict=True) if whole]
    drawn = asked or axes == DEFAULT or len(inside) <= _MANY
    chance = _probabilities(task, axes, inside, found) if drawn else {}
    members = [_member(p, axes, chance) for p, on in zip(scored, flags, strict=True) if on]
    members.sort(key=lambda m: (m.figures[axes[1]], m.cell))
    names = {m.cell for m in members}
    others = [_member(p, axes, chance) for p in inside if p.name not in names]
    likely = [m for m in others if m.probability is not None and m.probability >= _LIKELY]
    first = [(figure(p, axes[1]), figure(p, Side.QUALITY)) for p in inside]
    pair = len(axes) == 2
    view = FrontierView(
        axes=axes,
        comparison=scored[0].comparison,
        members=tuple(members),
        others=tuple(sorted(likely, key=lambda m: (-(m.probability or 0.0), m.cell))),
        missing=tuple(p.name for p, whole in zip(scored, complete, strict=True) if not whole),
        knee=knee(members, axes[1]) if pair else None,
        within=tuple(_within(points, first, inside) for points in WITHIN) if inside else (),
        hypervolume=hypervolume(members, [c for c, _ in first], axes[1]) if pair else None,
        notes=_notes(axes, complete, inside, found, drawn),
    )
    return view, chance


def _flags(costs: Floats) -> Sequence[bool] | Flags:
    """Of two axes by sorting, which is fast for many points."""
    if costs.shape[1] > 2:
        return undominated(costs)
    return on_frontier([(cost, -quality) for quality, cost in costs.tolist()])


def _member(point: Point, axes: tuple[Side, ...], chance: Chances) -> Member:
    known = {side: value for side in axes if (value := figure(point, side)) is not None}
    return Member(cell=point.name, figures=known, probability=chance.get(point.name))


def _within(
    points: float, first: Sequence[tuple[float | None, float | None]], inside: Sequence[Point]
) -> Within:
    index = cheapest_close(first, points / 100)
    assert index is not None
    return Within(points=points, cell=inside[index].name)


def _probabilities(
    task: str, axes: tuple[Side, ...], inside: Sequence[Point], found: Mapping[str, Replicates]
) -> Chances:
    """By name. The draws hang on the names of the points alone, and on what is known of them."""
    group = [found[p.name] for p in inside if p.name in found]
    if not group or len(group) < len(inside) or (len(axes) > 2 and len(group) > _MOST_OF_THREE):
        return {}
    random = generator(task, inside[0].comparison or "", *axes, *(r.name for r in group))
    quality = quality_draws(group, random)
    drawn = [_cost(side, inside, group, random) for side in axes[1:]]
    if len(axes) == 2:
        flags = on_frontier_rows(drawn[0], quality)
    else:
        flags = np.stack([undominated(np.stack(row, axis=1)) for row in zip(*drawn, -quality, strict=True)])
    return {
        r.name: round(float(share), 2) if len(r.seeds) > 1 else None
        for r, share in zip(group, flags.mean(axis=0), strict=True)
    }


def _cost(
    side: Side, inside: Sequence[Point], group: Sequence[Replicates], random: np.random.Generator
) -> Floats:
    """[draws, points]. Time moves with the seeds as device-hours do; all else stays as it was measured."""
    still = np.array([figure(p, side) for p in inside], dtype=np.float64)
    if side not in (Side.DEVICE_HOURS, Side.WALL_TIME):
        return np.broadcast_to(still, (DRAWS, len(still)))
    moved: Floats = cost_draws(group, random)
    hours = np.array([r.device_hours.mean() for r in group])
    return np.where(hours > 0, moved / np.where(hours > 0, hours, 1.0), 1.0) * still


def knee(members: Sequence[Member], side: Side) -> str | None:
    """The member farthest above the straight line from the cheapest to the best, cost on a logarithmic axis:
    before it quality comes cheap, after it dear. None for fewer than three members, or a cost of 0."""
    line = sorted((m.figures[side], m.figures[Side.QUALITY], m.cell) for m in members)
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


def hypervolume(members: Sequence[Member], costs: Sequence[float | None], side: Side) -> Hypervolume | None:
    """None where a cost is 0, or all are equal: there is no area."""
    known = [cost for cost in costs if cost is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if low <= 0 or math.isclose(low, high):
        return None
    steps = sorted((m.figures[side], m.figures[Side.QUALITY]) for m in members)
    ends = [cost for cost, _ in steps[1:]] + [high]
    area = math.fsum(
        quality * (math.log10(end) - math.log10(cost))
        for (cost, quality), end in zip(steps, ends, strict=True)
    )
    value = area / (math.log10(high) - math.log10(low))
    title, unit = SIDES[side]
    return Hypervolume(
        value=value,
        low=low,
        reference_cost=high,
        reference_quality=0.0,
        sentence=(
            f"A budget between {low:.3g} and {high:.3g} {unit} ({title}) buys a quality of {value:.3f} in "
            "the mean over the logarithm of the budget: the hypervolume under the frontier, against the "
            f"reference point of quality 0 at {high:.3g} {unit}, the dearest measured, over its width."
        ),
    )


def _notes(
    axes: tuple[Side, ...],
    complete: Flags,
    inside: Sequence[Point],
    found: Mapping[str, Replicates],
    drawn: bool,
) -> tuple[str, ...]:
    lines = []
    without = int((~complete).sum())
    if without:
        titles = " or ".join(SIDES[side][0] for side in axes[1:])
        cells = "1 cell has" if without == 1 else f"{without} cells have"
        lines.append(f"{cells} no figure for {titles}, and cannot be on this frontier.")
    if not inside:
        return tuple(lines)
    if not drawn:
        lines.append("The probability of being on it is left out here; ask for these axes to have it.")
        return tuple(lines)
    single = sum(len(found[p.name].seeds) < 2 for p in inside if p.name in found)
    if single:
        cells = "1 cell has" if single == 1 else f"{single} cells have"
        lines.append(f"{cells} one seed: their probability of being on the frontier cannot be said.")
    told = sum(found[p.name].test_set is not None for p in inside if p.name in found)
    if told < len(inside):
        lines.append(
            "Probabilities rest on the seeds alone for results that do not tell how they did on each "
            f"document ({len(inside) - told} of {len(inside)})."
        )
    return tuple(lines)
