"""What to take from each budget on."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.target import Target
from orchestrator.report.results.point import Point
from orchestrator.report.results.points import cost_and_quality
from orchestrator.report.statistics.pareto import cheapest_enough


def by_budget(points: Sequence[Point], target: Target) -> list[tuple[float, Point]]:
    """What to take from each budget on, rising: the cheapest that is good enough, measured by the best that
    the budget buys. Budgets that are nearer than costs are known are one, which begins at the first of them
    and takes what the last of them would. `points`: of one task and comparison key."""
    members = [p for p in points if p.frontier and p.device_hours]
    rising = sorted(members, key=lambda p: cost_and_quality(p)[0] or 0.0)
    rows: list[tuple[Point, Point]] = []  # what the budget must just buy, and what to take
    for count, dearest in enumerate(rising, start=1):
        index = cheapest_enough([cost_and_quality(p) for p in rising[:count]], target)
        if index is None or (rows and rows[-1][1] == rising[index]):
            continue
        if rows and _blurred(rows[-1][0], dearest):
            rows[-1] = rows[-1][0], rising[index]
        else:
            rows.append((dearest, rising[index]))
    return [(cost_and_quality(dearest)[0] or 0.0, take) for dearest, take in rows]


def _blurred(one: Point, other: Point) -> bool:
    """Return whether their costs are indistinguishable: each is in the interval of the other."""
    a, b = one.device_hours, other.device_hours
    if a is None or b is None or a.interval is None or b.interval is None:
        return False
    return b.interval[0] <= a.mean and b.mean <= a.interval[1]
