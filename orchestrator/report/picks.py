"""What to take on each task under each comparison key, and what it is measured against."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.record import Record
from orchestrator.contracts.target import Target
from orchestrator.report.evidence import GoodEnough
from orchestrator.report.frontier import best, cheapest_enough
from orchestrator.report.model import Comparison, Point, Report, TaskReport
from orchestrator.report.points import figures


class Pick(Record):
    """Of one task under one comparison key: the cheapest that is good enough, and the best; the best twice
    where none is `enough`."""

    task: TaskReport
    comparison: Comparison
    pick: Point
    best: Point
    enough: bool = True

    @property
    def unlearned(self) -> str | None:
        """Why no cell learnt anything."""
        return self.task.unlearned.get(self.comparison.label)

    @property
    def shown(self) -> bool:
        """Whether the first is shown to be good enough."""
        return any(found.shown for found in self._judged)

    @property
    def most_below(self) -> float | None:
        """How much better another cell may be (95 %, over all cells)."""
        return next((found.most_below for found in self._judged), None)

    @property
    def _judged(self) -> list[GoodEnough]:
        return [found for found in self.task.good_enough if found.comparison == self.comparison.label]

    @property
    def place(self) -> str:
        """`“Outcome”`, with the set-up where there are several."""
        return place(self.task, self.comparison.label)

    @property
    def points(self) -> list[Point]:
        """All of this task and comparison key."""
        return [p for p in self.task.points if p.comparison == self.comparison.label]

    @property
    def judged(self) -> GoodEnough | None:
        return next(iter(self._judged), None)


def place(task: TaskReport, label: str) -> str:
    return f"“{task.title}” on {label}" if len(task.comparisons) > 1 else f"“{task.title}”"


def by_budget(points: Sequence[Point], target: Target) -> list[tuple[float, Point]]:
    """What to take from each budget on, rising: the cheapest that is good enough, measured by the best that
    the budget buys. Budgets that are nearer than costs are known are one, which begins at the first of them
    and takes what the last of them would. `points`: of one task and comparison key."""
    known = [p for p in points if p.frontier and p.device_hours]
    rising = sorted(known, key=lambda p: figures(p)[0] or 0.0)
    rows: list[tuple[Point, Point]] = []  # what the budget must just buy, and what to take
    for count, dearest in enumerate(rising, start=1):
        index = cheapest_enough([figures(p) for p in rising[:count]], target)
        if index is None or (rows and rows[-1][1] == rising[index]):
            continue
        if rows and _blurred(rows[-1][0], dearest):
            rows[-1] = rows[-1][0], rising[index]
        else:
            rows.append((dearest, rising[index]))
    return [(figures(dearest)[0] or 0.0, take) for dearest, take in rows]


def _blurred(one: Point, other: Point) -> bool:
    """Return whether their costs cannot be told apart: each is in the interval of the other."""
    a, b = one.device_hours, other.device_hours
    if a is None or b is None or a.interval is None or b.interval is None:
        return False
    return b.interval[0] <= a.mean and b.mean <= a.interval[1]


def picks(report: Report) -> list[Pick]:
    found = []
    for task in report.tasks:
        for comparison in task.comparisons:
            group = [p for p in task.points if p.comparison == comparison.label]
            results = [figures(p) for p in group]
            enough, top = cheapest_enough(results, task.target), best(results)
            if top is not None:
                pick = group[top if enough is None else enough]
                found.append(
                    Pick(
                        task=task,
                        comparison=comparison,
                        pick=pick,
                        best=group[top],
                        enough=enough is not None,
                    )
                )
    return found
