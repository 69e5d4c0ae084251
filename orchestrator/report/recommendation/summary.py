"""The answer first: what to take on each task, how sure that is, and what to take at which budget."""

from __future__ import annotations

from itertools import dropwhile
from typing import NamedTuple

from orchestrator import units
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report import text
from orchestrator.report.analysis.budgets import by_budget
from orchestrator.report.analysis.cell_names import marked, marks_of
from orchestrator.report.analysis.claim_text import DifferenceUnit
from orchestrator.report.recommendation.advice import instead
from orchestrator.report.recommendation.cheaper import saving
from orchestrator.report.recommendation.confidence import uncertainty_text
from orchestrator.report.recommendation.picks import Pick, picks, place
from orchestrator.report.record import Report
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.results.points import cost_and_quality
from orchestrator.report.task_report import TaskReport
from orchestrator.units import rounded


class Recommendation(Record):
    """From a budget of `cost` device-hours a trial on, until the next one: the cheapest that is good enough.
    `shown`: that it is so is shown, else measured."""

    cost: float
    point: Point
    shown: bool

    @property
    def own_cost(self) -> float | None:
        """Return what a run of it takes, if that reads as more than the budget: costs that cannot be
        distinguished are one budget, which begins at the lowest of them."""
        own = cost_and_quality(self.point)[0]
        longer = own is not None and units.time_of_hours(own) != units.time_of_hours(self.cost)
        return own if longer else None


class Headline(NamedTuple):
    """The answer of one task under one comparison key, in sentences."""

    task: TaskReport
    comparison: Comparison | None  # None: no trial of the task is finished
    take: tuple[str, ...]  # what to take first
    sure: str | None


def recommendations(task: TaskReport, comparison: Comparison) -> tuple[Recommendation, ...]:
    """By budget, rising, from the first cell on that is shown to score better than guessing."""
    if comparison.label in task.unlearned:
        return ()
    points = [p for p in task.points if p.comparison == comparison.label]
    guessing = task.not_above_guessing.get(comparison.label, ())
    judged = [answer.budgets for answer in task.good_enough if answer.comparison == comparison.label]
    shown = judged[0] if judged else {}
    return tuple(
        Recommendation(cost=cost, point=point, shown=shown.get(point.name, False))
        for cost, point in dropwhile(lambda row: row[1].name in guessing, by_budget(points, task.target))
    )


def headlines(report: Report) -> list[Headline]:
    """Of each task, in their order; tasks are never told together."""
    chosen = {(one.task.task, one.comparison.label): one for one in picks(report)}
    lines = []
    for task in report.tasks:
        if not task.comparisons:
            lines.append(Headline(task, None, (f"For {place(task, '')}: {' '.join(task.answers)}",), None))
        for number, comparison in enumerate(task.comparisons):
            one = chosen.get((task.task, comparison.label))
            if comparison.label in task.unlearned:
                lines.append(Headline(task, comparison, (_nothing(task, comparison),), None))
            elif one is not None:
                lines.append(_headline(one))
            else:
                text = f"For {place(task, comparison.label)}: {task.answers[number]}"
                lines.append(Headline(task, comparison, (text,), None))
    return lines


def _headline(one: Pick) -> Headline:
    marks = marks_of(one.points)
    take = tuple(marked(sentence, marks) for sentence in _take(one) if sentence)
    return Headline(one.task, one.comparison, take, uncertainty_text(one))


def sentences(report: Report) -> tuple[str, ...]:
    """What to take on each task and how sure that is, then what to bear in mind."""
    lines = [text for one in headlines(report) for text in (" ".join(one.take), one.sure) if text]
    return (*lines, caveat(report))


def _nothing(task: TaskReport, comparison: Comparison) -> str:
    why = task.unlearned[comparison.label]
    points = [p for p in task.points if p.comparison == comparison.label]
    return f"For {place(task, comparison.label)}, there is no answer. {why} {instead(points, why)}"


def _take(one: Pick) -> list[str]:
    plain = f", which is {one.pick.plain}" if one.pick.plain else ""
    if not one.enough:
        least = f"{text.short(one.task.metric_title)} {one.task.target.at_least:g}"
        best = f"{one.best.name}{plain}, with {_score(one)}"
        nothing = f"For {one.place}, no model scored {least} or more: the highest score is that of {best}."
        return [nothing, _costs(one), _margin(one)]
    scale = DifferenceUnit("", not one.task.loss, unit=one.task.unit)
    saved = saving(one.points, one.judged, scale)
    sure = f"95 % {text.over(one.points)}, all cells at once"
    return [
        f"For {one.place}, take {one.pick.name}{plain}: it {_why(one)}.",
        f"{saved.removesuffix('.')} ({sure})." if saved else "",
        _costs(one),
        _margin(one),
    ]


def _why(one: Pick) -> str:
    enough, score = text.enough(one.task.target, one.task.metric, one.task.unit), _score(one)
    if one.task.target.at_least is not None:
        return f"is the cheapest with {enough}, with {score}"
    near, highest = enough.removesuffix(" of the best"), text.mean_text(one.best.quality)
    if one.pick.name != one.best.name:
        return f"is the cheapest {near} of the highest score, {highest} of {one.best.name}, with {score}"
    if len([p for p in one.points if None not in cost_and_quality(p)]) == 1:
        return f"is the only one with a score, {score}"
    return f"scored highest, with {score}, and nothing cheaper scored {near} of it"


def _score(one: Pick) -> str:
    return f"{text.short(one.task.metric_title)} {text.score_of(one.pick)}"


def _costs(one: Pick) -> str:
    """To train it and to use it."""
    cost = cost_and_quality(one.pick)[0]
    sentence = f"A training run takes {units.device_time(cost, one.comparison.unit)}"
    if one.pick.money is not None and one.task.currency:
        sentence += f", {rounded(one.pick.money)} {one.task.currency}"
    if one.pick.latency_ms is None:
        return f"{sentence}."
    # A thousand times as many milliseconds are as many seconds.
    thousand = units.time_of_hours(one.pick.latency_ms / 3600)
    return (
        f"{sentence}; in use one answer takes {rounded(one.pick.latency_ms)} ms, "
        f"1,000 one by one take {thousand}."
    )


def _margin(one: Pick) -> str:
    """What good enough means, and who said so."""
    target, metric = one.task.target, text.short(one.task.metric_title)
    own = "as good_enough of the sweep says"
    if target.at_least is not None:
        return f"Good enough is {metric} {target.at_least:g}, {own}."
    points = f"{100 * (target.within or 0):g} point{'' if target.within == 0.01 else 's'}"
    amount = f"{points}, {target.within:g} of {metric}"
    if one.task.loss:
        amount = f"{target.within:g} {one.task.unit}" if one.task.unit else f"{target.within:g} of {metric}"
    default = "which is the default; good_enough in the sweep file sets another"
    return f"Good enough is within {amount}, {own if one.task.target_is_own else default}."


def _unrepeated(report: Report) -> bool:
    points = [p for task in report.tasks for p in task.points]
    return not any(p.quality is not None and p.quality.n > 1 for p in points)


def caveat(report: Report) -> str:
    """How much of the sweep is in, and what makes its scores doubtful."""
    states = report.totals.trials
    planned, finished = sum(states.values()), states.get(TrialState.FINISHED, 0)
    failed = states.get(TrialState.FAILED, 0)
    rest = f" and {failed:,} failed" if failed else ""
    parts = (
        [] if 0 < planned == finished else [f"{finished:,} of {planned:,} planned trials have finished{rest}"]
    )
    if report.runs_from is not None:
        parts = [f"Frontier did not make these {planned:,} runs, and cannot check how they were measured"]
        parts += ["no run was repeated, so which is better may be luck"] if _unrepeated(report) else []
    parts += [doubt for task in report.tasks for doubt in task.doubts]
    seen = sorted({one.pick.name for one in picks(report) if one.unlearned is None and one.pick.saw})
    if seen:
        parts.append(f"the pretraining of {', '.join(seen)} has read the corpus of a task")
    return f"Bear in mind: {'; '.join(parts)}." if parts else f"All {planned:,} planned trials have finished."
