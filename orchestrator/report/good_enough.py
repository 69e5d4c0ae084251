"""Whether "within 1 point of the best" is shown, by limits that hold for all cells at once.

That a cell is within a margin of the best is shown where each other cell, less this one, has an upper limit
below the margin (non-inferiority). It is false only if some cell is better by the margin or more, and then
that one pair has to be misjudged: so each limit may miss with the probability 5 % over the number of cells
that could have been named (Bonferroni), and the cells that each is compared with need no correction.

That nothing cheaper comes within the margin of the best is shown where the best, less each cheaper cell, has
a lower limit above the margin. Whichever cell scored highest, one pair has to be misjudged for that to be
false, so the same level pays for choosing it by its score. What is not shown is open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from orchestrator.report.claims import LEVEL
from orchestrator.report.comparing import difference
from orchestrator.report.evidence import GoodEnough
from orchestrator.report.frontier import CLOSE, best, cheapest_close
from orchestrator.report.model import Point
from orchestrator.report.moderation import Prior
from orchestrator.report.picks import by_budget
from orchestrator.report.points import figures
from orchestrator.report.replicates import Replicates

Interval = tuple[float, float]


def good_enough(
    points: Sequence[Point], found: Mapping[str, Replicates], prior: Prior | None, within: float = CLOSE
) -> GoodEnough | None:
    """Of one task and comparison key. None unless two cells have a cost and a score."""
    scored = [p for p in points if p.name in found and None not in figures(p)]
    results = [figures(p) for p in scored]
    close, top = cheapest_close(results, within), best(results)
    if close is None or top is None or len(scored) < 2:
        return None
    judge = _Judge(found, prior, len(scored) - 1)
    named, limit, first = scored[close].name, _cost(scored[close]), scored[top].name
    below = judge.below(named, [p.name for p in scored])
    return GoodEnough(
        comparison=points[0].comparison,
        cell=named,
        within=within,
        shown=below.shown(within),
        most_below=below.most,
        unjudged=below.unjudged,
        cheaper={p.name: judge.limits(first, p.name) for p in scored if _cost(p) < limit},
        budgets=_budgets(scored, judge, within),
    )


def _budgets(scored: Sequence[Point], judge: _Judge, within: float) -> dict[str, bool]:
    """A cell that is named from one budget on stays named up to the next, so it is compared with all cells
    that cost less than that."""
    rows = by_budget(scored)
    shown = {}
    for place, (_, point) in enumerate(rows, start=1):
        end = rows[place][0] if place < len(rows) else math.inf
        below = judge.below(point.name, [p.name for p in scored if _cost(p) < end])
        shown[point.name] = below.shown(within)
    return shown


def _cost(point: Point) -> float:
    cost, _ = figures(point)
    assert cost is not None
    return cost


class _Judge:
    """Limits that hold for `cells` choices at once."""

    def __init__(self, found: Mapping[str, Replicates], prior: Prior | None, cells: int) -> None:
        self._found, self._prior, self._level = found, prior, 2 * LEVEL / cells

    def limits(self, one: str, other: str) -> Interval | None:
        """Of `one` less `other`; each end misses with 5 % over the number of choices."""
        made = difference(self._found[one], self._found[other], self._prior)
        half = made.half(self._level)
        return None if half is None else (made.mean - half, made.mean + half)

    def below(self, name: str, cells: Sequence[str]) -> _Below:
        found = [self.limits(other, name) for other in cells if other != name]
        known = [limits[1] for limits in found if limits is not None]
        return _Below(max(0.0, *known) if known else None, len(found) - len(known))


class _Below(NamedTuple):
    """How much better the best of the others may be than a cell: of those that can be judged."""

    most: float | None  # None where none can be judged
    unjudged: int

    def shown(self, within: float) -> bool:
        return self.unjudged == 0 and (self.most is None or self.most < within)
