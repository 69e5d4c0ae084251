"""The answer first: three sentences over all tasks, and what to take at which budget."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report import wording
from orchestrator.report.frontier import CLOSE, best, cheapest_close
from orchestrator.report.model import Comparison, Point, Report, TaskReport
from orchestrator.report.points import figures

_FEW = 4  # tasks that a sentence can name one by one


class Recommendation(Record):
    """From a budget of `cost` device-hours a trial on, until the next one: the cheapest whose quality is
    within a point of the best that the budget buys."""

    cost: float
    point: Point


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


def recommendations(task: TaskReport, comparison: Comparison) -> tuple[Recommendation, ...]:
    """By budget, rising. A dearer model is never named for less than a point more."""
    known = [p for p in task.points if p.comparison == comparison.label and p.frontier and p.device_hours]
    rising = sorted(known, key=lambda p: figures(p)[0] or 0.0)
    found: list[Recommendation] = []
    for count, dearest in enumerate(rising, start=1):
        index = cheapest_close([figures(p) for p in rising[:count]])
        if index is not None and (not found or found[-1].point != rising[index]):
            found.append(Recommendation(cost=figures(dearest)[0] or 0.0, point=rising[index]))
    return tuple(found)


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


def sentences(report: Report) -> tuple[str, ...]:
    """What to take, how sure that is, and what to bear in mind."""
    found = picks(report)
    if not found:
        return ("No trial has a score yet, so there is nothing to recommend.", _caveat(report, found))
    return (_choice(found), _sureness(found), _caveat(report, found))


def _choice(found: Sequence[Pick]) -> str:
    close = f"the cheapest within {CLOSE * 100:.0f} point of the best"
    if len(found) == 1:
        [only] = found
        return (
            f"For {only.place}, take {only.pick.name}: it is {close}, with {_score(only)} at {_cost(only)}."
        )
    by_name: dict[str, list[Pick]] = {}
    for one in found:
        by_name.setdefault(one.pick.name, []).append(one)
    name, most = max(by_name.items(), key=lambda item: len(item[1]))
    if len(most) == len(found):
        return f"Take {name}: on all {len(found)} tasks it is {close}."
    others = [one for one in found if one.pick.name != name]
    if len(most) == 1 and len(found) > _FEW:
        return (
            f"No one model serves all {len(found)} tasks: each has another one that is {close}, named below."
        )
    named = "; ".join(f"for {one.place} it is {one.pick.name}" for one in others[:_FEW])
    rest = f"; {len(others) - _FEW} more differ, see below" if len(others) > _FEW else ""
    if len(most) == 1:
        return f"No one model serves all tasks: for {most[0].place} {name} is {close}; {named}."
    return f"Take {name}: on {len(most)} of {len(found)} tasks it is {close}; {named}{rest}."


def _score(one: Pick) -> str:
    metric = wording.short(one.task.metric_title)
    return f"{metric} {wording.score(one.pick.quality)}" if one.pick.quality else wording.MISSING


def _cost(one: Pick) -> str:
    return f"{wording.hours(figures(one.pick)[0])} {one.comparison.unit} a trial"


def _sureness(found: Sequence[Pick]) -> str:
    """From the sets of the best where they are known, else from the intervals over seeds."""
    sets = [
        (one, group)
        for one in found
        for group in one.task.groups
        if group.best and group.comparison in (None, one.comparison.label)
    ]
    if sets:
        return _sets([len(group.cells) for _, group in sets], len(found))
    single = [one for one in found if one.pick.quality is None or one.pick.quality.interval is None]
    if len(single) == len(found):
        return "How sure: one seed each, so nothing here has an interval; run more seeds before deciding."
    widest = max(_half(one.pick) for one in found)
    return (
        f"How sure: other seeds would move the quality of the model named by up to {widest * 100:.1f} points "
        "(95 % intervals of the mean)."
    )


def _sets(sizes: Sequence[int], total: int) -> str:
    """`sizes`: of the sets among which the best is, one a task."""
    several = sorted(size for size in sizes if size > 1)
    if not several:
        return f"How sure: the best is told apart from all others {_all(len(sizes), total)}."
    low, high = several[0], several[-1]
    span = f"{low}" if low == high else f"{low} to {high}"
    return (
        f"How sure: {_all(len(several), total)} {span} cells cannot be told apart at the top, so that a "
        "cheaper one of them is as good a choice."
    )


def _half(point: Point) -> float:
    if point.quality is None or point.quality.interval is None:
        return 0.0
    low, high = point.quality.interval
    return (high - low) / 2


def _all(count: int, total: int) -> str:
    if total == 1:
        return "on this task"
    return f"on all {total} tasks" if count == total else f"on {count} of {total} tasks"


def _caveat(report: Report, found: Sequence[Pick]) -> str:
    states = report.totals.trials
    planned, finished = sum(states.values()), states.get(TrialState.FINISHED, 0)
    parts = [f"{finished:,} of {planned:,} planned trials are in"]
    invented = sum(task.invented for task in report.tasks)
    if invented:
        which = "all tasks" if invented == len(report.tasks) else f"{invented} of {len(report.tasks)} tasks"
        parts.append(f"the text of {which} is invented, so nothing about medicine follows")
    seen = sorted({one.pick.name for one in found if one.pick.saw})
    if seen:
        parts.append(f"the pretraining of {', '.join(seen)} has read the corpus of a task")
    return f"Bear in mind: {'; '.join(parts)}."
