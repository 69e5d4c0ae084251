"""The answer first: three sentences over all tasks, and what to take at which budget."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report import wording
from orchestrator.report.model import Comparison, Point, Report, TaskReport
from orchestrator.report.naming import marked, marks_of
from orchestrator.report.picks import Pick, by_budget, picks
from orchestrator.report.points import figures
from orchestrator.report.sureness import sureness

_FEW = 4  # tasks that a sentence can name one by one


class Recommendation(Record):
    """From a budget of `cost` device-hours a trial on, until the next one: the cheapest that is good enough.
    `shown`: that it is so is shown, else measured."""

    cost: float
    point: Point
    shown: bool


def recommendations(task: TaskReport, comparison: Comparison) -> tuple[Recommendation, ...]:
    """By budget, rising."""
    if comparison.label in task.unlearned:
        return ()
    here = [p for p in task.points if p.comparison == comparison.label]
    judged = [found.budgets for found in task.good_enough if found.comparison == comparison.label]
    shown = judged[0] if judged else {}
    return tuple(
        Recommendation(cost=cost, point=point, shown=shown.get(point.name, False))
        for cost, point in by_budget(here, task.target)
    )


def sentences(report: Report) -> tuple[str, ...]:
    """What to take, how sure that is, and what to bear in mind."""
    found = [one for one in picks(report) if one.unlearned is None]
    nothing = _nothing(report)
    if not found and nothing:
        return (f"{nothing}{wording.INSTEAD}", _caveat(report, found))
    if not found:
        return ("No trial has a score yet, so there is nothing to recommend.", _caveat(report, found))
    enough = [one for one in found if one.enough]
    choice = [_none(one) for one in found if not one.enough][:_FEW] + ([_choice(enough)] if enough else [])
    marks = marks_of({id(p): p for one in found for p in (one.pick, one.best)}.values())
    said = " ".join(part for part in (nothing, *choice) if part)
    return (marked(said, marks), sureness(found), _caveat(report, found))


def _nothing(report: Report) -> str:
    """The tasks of which no cell learnt anything; empty where each has one."""
    lines = []
    for task in report.tasks:
        for label, why in task.unlearned.items():
            place = f"{task.title} on {label}" if len(task.comparisons) > 1 else task.title
            lines.append(f"For {place}, nothing was learnt. {why}")
    more = [f"The same holds for {len(lines) - _FEW} more."] if len(lines) > _FEW else []
    return " ".join([*lines[:_FEW], *more])


def _none(one: Pick) -> str:
    least = f"{wording.short(one.task.metric_title)} {one.task.target.at_least:g}"
    best = f"{one.best.name}, with {_score(one)} at {_cost(one)}"
    return f"For {one.place}, no model reaches {least}: the best is {best}."


def _choice(found: Sequence[Pick]) -> str:
    alike = {wording.enough(one.task.target, one.task.metric) for one in found}
    close = "the cheapest that is good enough"
    if len(alike) == 1:
        least = found[0].task.target.at_least is not None
        close = f"the cheapest {'with ' if least else ''}{alike.pop()}"
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


def _caveat(report: Report, found: Sequence[Pick]) -> str:
    states = report.totals.trials
    planned, finished = sum(states.values()), states.get(TrialState.FINISHED, 0)
    failed = states.get(TrialState.FAILED, 0)
    parts = [
        f"{finished:,} of {planned:,} planned trials are in{f' and {failed:,} failed' if failed else ''}"
    ]
    invented = sum(task.invented for task in report.tasks)
    if invented:
        which = "all tasks" if invented == len(report.tasks) else f"{invented} of {len(report.tasks)} tasks"
        parts.append(f"the text of {which} is invented, so nothing about medicine follows")
    parts += [doubt for task in report.tasks for doubt in task.doubts]
    seen = sorted({one.pick.name for one in found if one.pick.saw})
    if seen:
        parts.append(f"the pretraining of {', '.join(seen)} has read the corpus of a task")
    return f"Bear in mind: {'; '.join(parts)}."
