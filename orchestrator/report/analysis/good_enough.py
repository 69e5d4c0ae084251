"""Whether "within 1 point of the best" is shown, by limits that hold for all cells at once.

That a cell is within a margin of the best is shown where each other cell, less this one, has an upper limit
below the margin (non-inferiority). It is false only if some cell is better by the margin or more, and then
that one pair has to be misjudged: so each limit may miss with the probability 5 % over the number of cells
that could have been named (Bonferroni), and the cells that each is compared with need no correction.

That nothing cheaper comes within the margin of the best is shown where the best, less each cheaper cell, has
a lower limit above the margin. Whichever cell scored highest, one pair has to be misjudged for that to be
false, so the same level pays for choosing it by its score. What is not shown is open.

A cell of which some seeds failed is judged by those that worked wherever that can only flatter it: what is
shown to be better than these is better than the cell. The scatter between both groups of seeds, which no
t-interval describes, makes limits as wide as the scale: where nothing is shown in spite of it, a pair cannot
be judged.

Where good enough is a least quality, the limits are those of each cell's quality over seeds and documents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field

from orchestrator.contracts.record import Record
from orchestrator.contracts.target import NEAR, Target
from orchestrator.report.analysis.budgets import by_budget
from orchestrator.report.analysis.claims import LEVEL
from orchestrator.report.results.point import Point
from orchestrator.report.results.points import cost_and_quality
from orchestrator.report.statistics.held_out import held_out_score
from orchestrator.report.statistics.moderation import Prior
from orchestrator.report.statistics.paired import MeanEstimate, difference, of_cell
from orchestrator.report.statistics.pareto import best, cheapest_enough
from orchestrator.report.statistics.replicates import Replicates
from orchestrator.report.statistics.summary import between

Interval = tuple[float, float]


class GoodEnough(Record):
    """What is shown of the answer of one comparison key, by 95 % limits that hold for all its cells at once.

    `cell` is the cheapest that scored well enough for `target`, or the best where none did. `most_below` is
    how much better another cell may be, None where none can be judged. `budgets` says for each cell that is
    recommended by budget whether it is shown to be good enough.

    For `within` the cell is `shown` where no other one may be better by that or more, and all can be judged;
    `cheaper` has the limits of the best less each cell that costs less than `cell`. For `at_least` it is
    shown where the lower limit of its own quality reaches that; `cheaper` has the limits of the quality of
    each. Those of the cells in `by_seeds_that_worked` are without their failed seeds. None means that a cell
    cannot be judged.

    `held_out` and `best_held_out`: what the cell that is chosen in the same way, or the best, scores on seeds
    and documents that had no part in choosing it. None where cells have other seeds than others.
    """

    comparison: str | None
    cell: str  # model/domain/method
    target: Target
    shown: bool
    most_below: float | None
    unjudged: int = 0  # cells that share fewer than two seeds with `cell`, or no scatter
    cheaper: dict[str, tuple[float, float] | None] = Field(default_factory=dict)
    by_seeds_that_worked: tuple[str, ...] = Field((), exclude_if=lambda names: not names)
    budgets: dict[str, bool] = Field(default_factory=dict)
    cells: int = 2  # that were chosen from
    held_out: float | None = None
    best_held_out: float | None = None

    @property
    def open_cheaper(self) -> tuple[str, ...]:
        """Name the cheaper cells that may still be good enough."""
        return tuple(name for name, ends in self.cheaper.items() if ends is None or self._may_be(ends))

    def _may_be(self, ends: tuple[float, float]) -> bool:
        if self.target.at_least is not None:
            return ends[1] >= self.target.at_least
        return ends[0] <= (self.target.within or 0.0)


def good_enough(
    points: Sequence[Point], replicates: Mapping[str, Replicates], prior: Prior | None, target: Target = NEAR
) -> GoodEnough | None:
    """Judge one task and comparison key. None unless two cells have a cost and a score."""
    scored = [p for p in points if p.name in replicates and None not in cost_and_quality(p)]
    results = [cost_and_quality(p) for p in scored]
    enough, top = cheapest_enough(results, target), best(results)
    if top is None or len(scored) < 2:
        return None
    judge = _Judge(replicates, prior, len(scored), target)
    named, first = scored[top if enough is None else enough], scored[top].name
    cheaper = [p.name for p in scored if _cost(p) < _cost(named)]
    below = judge.below(named.name, [p.name for p in scored])
    cells = [replicates[p.name] for p in scored]
    rivals = {name: judge.rival(first, name) for name in cheaper}
    limits = {
        name: judge.behind(first, rival) if target.at_least is None else judge.quality(rival)
        for name, rival in rivals.items()
    }
    worked = [name for name, ends in limits.items() if ends and rivals[name].dropped]
    return GoodEnough(
        comparison=points[0].comparison,
        cell=named.name,
        target=target,
        shown=judge.shown(named.name, [p.name for p in scored]),
        most_below=below.most,
        unjudged=below.unjudged,
        cheaper=limits,
        by_seeds_that_worked=tuple(worked),
        budgets=_budgets(scored, judge, target),
        cells=len(scored),
        held_out=held_out_score(cells, lambda scores: _chosen(scored, scores, target)),
        best_held_out=held_out_score(cells, lambda scores: int(np.argmax(scores))),
    )


def _chosen(scored: Sequence[Point], scores: Sequence[float], target: Target) -> int:
    """Return the index of the point that these scores would choose."""
    results = [(_cost(point), score) for point, score in zip(scored, scores, strict=True)]
    enough = cheapest_enough(results, target)
    return int(np.argmax(scores)) if enough is None else enough


def _budgets(scored: Sequence[Point], judge: _Judge, target: Target) -> dict[str, bool]:
    """Compare each cell that is recommended from a budget on with all cells that cost less than the next
    budget."""
    rows = by_budget(scored, target)
    shown = {}
    for place, (_, point) in enumerate(rows, start=1):
        end = rows[place][0] if place < len(rows) else math.inf
        shown[point.name] = judge.shown(point.name, [p.name for p in scored if _cost(p) < end])
    return shown


def _cost(point: Point) -> float:
    cost, _ = cost_and_quality(point)
    assert cost is not None
    return cost


class _Judge:
    """Limits that hold for whichever of `cells` is named."""

    def __init__(
        self, replicates: Mapping[str, Replicates], prior: Prior | None, cells: int, target: Target
    ) -> None:
        self._replicates, self._prior, self._cells, self._target = replicates, prior, cells, target
        self._within = target.within or 0.0
        # Of pairs: each budget asks for the same ones again.
        self._limits: dict[tuple[int, int], Interval | None] = {}

    def shown(self, name: str, cells: Sequence[str]) -> bool:
        """Return whether `name` is shown to be good enough among `cells`."""
        if self._target.at_least is not None:
            own = self.own(name)
            return own is not None and own[0] >= self._target.at_least
        below = self.below(name, cells)
        return below.unjudged == 0 and (below.most is None or below.most < self._within)

    def own(self, name: str) -> Interval | None:
        """Return the limits of the quality of `name`, a share, over seeds and documents."""
        return self.quality(self._replicates[name])

    def quality(self, cell: Replicates) -> Interval | None:
        """Return the limits of the quality of a cell, as `own`."""
        estimate = of_cell(cell)
        half = estimate.half(2 * LEVEL / self._cells)
        return None if half is None else between(estimate.mean, half, 0.0, 1.0)

    def behind(self, best: str, rival: Replicates) -> Interval | None:
        """Return the limits of `best` less a `rival`."""
        first = self._replicates[best]
        limits = self._of(first, rival)
        holds = limits is not None and limits[0] > self._within
        return limits if holds or not (first.scattered or rival.scattered) else None

    def rival(self, best: str, name: str) -> Replicates:
        """Return `name` as if no seed of it had failed. Where seeds of `best` failed as well, all count in a
        difference: without those of both, the best would gain more."""
        cell = self._replicates[name]
        differ = self._target.at_least is None
        return cell if differ and self._replicates[best].failed else cell.if_none_failed

    def _of(self, left: Replicates, right: Replicates) -> Interval | None:
        """Return the limits of `left` less `right`; only the best itself cannot be misjudged."""
        pair = id(left), id(right)
        if pair not in self._limits:
            self._limits[pair] = _ends(difference(left, right, self._prior), 2 * LEVEL / (self._cells - 1))
        return self._limits[pair]

    def below(self, name: str, cells: Sequence[str]) -> _Below:
        """Return how much better than `name` the others may be, as if no seed of theirs had failed."""
        named, others = self._replicates[name], [self._replicates[one] for one in cells if one != name]
        upper = []
        for other in (cell.if_none_failed for cell in others):
            limits = self._of(other, named)
            scattered = named.scattered or other.scattered
            if limits is not None and (limits[1] < self._within or not scattered):
                upper.append(limits[1])
        return _Below(max(0.0, *upper) if upper else None, len(others) - len(upper))


def _ends(estimate: MeanEstimate, level: float) -> Interval | None:
    half = estimate.half(level)
    return None if half is None else (estimate.mean - half, estimate.mean + half)


class _Below(NamedTuple):
    """How much better the best of the others may be than a cell: of those that can be judged."""

    most: float | None  # None where none can be judged
    unjudged: int
