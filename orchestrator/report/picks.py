"""What to take on each task under each comparison key, and what it is measured against."""

from __future__ import annotations

from orchestrator.contracts.record import Record
from orchestrator.report.frontier import best, cheapest_close
from orchestrator.report.model import Comparison, Point, Report, TaskReport
from orchestrator.report.points import figures


class Pick(Record):
    """Of one task under one comparison key: the cheapest within a point of the best, and the best."""

    task: TaskReport
    comparison: Comparison
    pick: Point
    best: Point

    @property
    def place(self) -> str:
        several = len(self.task.comparisons) > 1
        return f"{self.task.title} on {self.comparison.label}" if several else self.task.title


def picks(report: Report) -> list[Pick]:
    found = []
    for task in report.tasks:
        for comparison in task.comparisons:
            group = [p for p in task.points if p.comparison == comparison.label]
            results = [figures(p) for p in group]
            close, top = cheapest_close(results), best(results)
            if close is not None and top is not None:
                found.append(Pick(task=task, comparison=comparison, pick=group[close], best=group[top]))
    return found
