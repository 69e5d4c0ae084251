"""What to take on each task under each comparison key, and what it is measured against."""

from __future__ import annotations

from orchestrator.contracts.record import Record
from orchestrator.report.analysis.good_enough import GoodEnough
from orchestrator.report.record import Report
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.results.points import cost_and_quality
from orchestrator.report.statistics.pareto import best, cheapest_enough
from orchestrator.report.task_report import TaskReport


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
    def may_guess(self) -> bool:
        """Whether the first is not shown to score better than guessing."""
        return self.pick.name in self.task.not_above_guessing.get(self.comparison.label, ())

    @property
    def shown(self) -> bool:
        """Whether the first is shown to be good enough."""
        return any(judged.shown for judged in self._judged)

    @property
    def most_below(self) -> float | None:
        """How much better another cell may be (95 %, over all cells)."""
        return next((judged.most_below for judged in self._judged), None)

    @property
    def _judged(self) -> list[GoodEnough]:
        return [judged for judged in self.task.good_enough if judged.comparison == self.comparison.label]

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


def picks(report: Report) -> list[Pick]:
    chosen = []
    for task in report.tasks:
        for comparison in task.comparisons:
            group = [p for p in task.points if p.comparison == comparison.label]
            results = [cost_and_quality(p) for p in group]
            enough, top = cheapest_enough(results, task.target), best(results)
            if top is not None:
                pick = group[top if enough is None else enough]
                chosen.append(
                    Pick(
                        task=task,
                        comparison=comparison,
                        pick=pick,
                        best=group[top],
                        enough=enough is not None,
                    )
                )
    return chosen
