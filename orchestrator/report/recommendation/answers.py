"""The answer of a task in full: what is the cheapest that is good enough, and what is known of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.target import NEAR, Target
from orchestrator.report.analysis.cell_names import marked, marks_of
from orchestrator.report.analysis.claim_text import DifferenceUnit, SetVerdict
from orchestrator.report.analysis.claims import Claim, ClaimFamily
from orchestrator.report.analysis.good_enough import GoodEnough
from orchestrator.report.recommendation.advice import REHEARSAL, instead
from orchestrator.report.recommendation.cheaper import cheapest_not_worse, of_cost, saving
from orchestrator.report.results.point import Comparison, Point, PointState
from orchestrator.report.results.points import cost_and_quality
from orchestrator.report.statistics.pareto import best, cheapest_enough
from orchestrator.report.text import enough, metric_title, over, score_of, short
from orchestrator.units import device_time


def answers(
    metric: MetricName,
    comparisons: Sequence[Comparison],
    points: Sequence[Point],
    claims: Sequence[ClaimFamily] = (),
    judged: Sequence[GoodEnough] = (),
    target: Target = NEAR,
    unlearned: Mapping[str, str] = MappingProxyType({}),
    unit: str | None = None,
) -> tuple[str, ...]:
    """One answer a comparison key; one that says what is missing where there is no result yet. `unit`: of the
    metric, where it has one."""
    if not comparisons:
        return (_nothing(points),)
    texts = []
    for comparison in comparisons:
        group = [p for p in points if p.comparison == comparison.label]
        steps = [
            c for f in claims if f.name == "frontier" and f.comparison == comparison.label for c in f.claims
        ]
        close = next((one for one in judged if one.comparison == comparison.label), None)
        if why := unlearned.get(comparison.label):
            highest = (
                ""
                if why == REHEARSAL
                else f" {_highest(short(metric_title(metric, unit)), comparison.unit, group)}"
            )
            text = f"{why}{highest} {instead(group, why)}"
        else:
            text = _answer((metric, target, unit), comparison.unit, group, steps, close)
        texts.append(f"On {comparison.label}: {text[0].lower()}{text[1:]}" if len(comparisons) > 1 else text)
    return tuple(texts)


def _highest(metric: str, unit: str, points: Sequence[Point]) -> str:
    """What scored highest, where that recommends nothing."""
    top = best([cost_and_quality(p) for p in points])
    if top is None:
        return "No trial came to its end."
    return f"The highest score is that of {_named(points[top], metric, unit)}."


def _answer(
    of: tuple[MetricName, Target, str | None],
    unit: str,
    points: Sequence[Point],
    claims: Sequence[Claim],
    judged: GoodEnough | None,
) -> str:
    name, target, measured_in = of
    results = [cost_and_quality(p) for p in points]
    close, top = cheapest_enough(results, target), best(results)
    metric, sure = short(metric_title(name, measured_in)), f"95 % {over(points)}, all cells at once"
    if top is None:
        return "No finished trial has both a score and a cost that can be compared."
    marks = marks_of(points)
    if target.at_least is not None:
        named = None if close is None else _named(points[close], metric, unit)
        best_named, least = _named(points[top], metric, unit), f"{metric} {target.at_least:g}"
        chosen = "" if close is None else _chosen(judged, close == top, points[top])
        saved = _Said(saving(points, judged, DifferenceUnit("", points=True)))
        reached = [] if named is None or judged is None else _reached(judged)
        doubts = marked(_together([*reached, saved], sure), marks)
        return f"{_reaching(least, named, best_named)}{chosen}{doubts}"
    assert close is not None
    near = enough(target, name, measured_in).removesuffix(" of the best")
    scale = DifferenceUnit("", METRICS[name].higher_is_better, unit=measured_in)
    chosen = _chosen(judged, close == top, points[top])
    if close == top:
        said = (
            []
            if judged is None
            else [_shown(judged, near, scale, "it"), *_cheaper(points, judged, near, scale)]
        )
        doubts = marked(_together(said, sure), marks)
        return f"The highest score is that of {_named(points[top], metric, unit)}.{chosen}{doubts}"
    said = [] if judged is None else [_shown(judged, near, scale, judged.cell)]
    doubts = marked(_together([*said, _Said(saving(points, judged, scale))], sure), marks)
    ending = _between(points[top].name, points[close].name, claims)
    return (
        f"The cheapest {near} of the highest score is {_named(points[close], metric, unit)}; "
        f"the highest is that of {_named(points[top], metric, unit)}.{chosen}{doubts}{ending}"
    )


_COUNTED = {2: "two", 3: "three"}  # sentences that rest on limits; there are never more


class _Said(NamedTuple):
    """A sentence, empty where there is nothing to say, and whether it rests on limits."""

    text: str
    limits: bool = True


def _together(said: Sequence[_Said], sure: str) -> str:
    """Return the sentences after a blank each. What their limits are over is said once."""
    texts = [one.text for one in said if one.text]
    resting = [one.text for one in said if one.text and one.limits]
    if len(resting) == 1:
        texts = [f"{text.removesuffix('.')} ({sure})." if text in resting else text for text in texts]
    elif resting:
        texts.append(f"Each of the {_COUNTED[len(resting)]} statements holds at {sure}.")
    return "".join(f" {text}" for text in texts)


def _chosen(judged: GoodEnough | None, same: bool, best: Point) -> str:
    """That scores which choose are too good, and what they are without it. `same`: the best is named."""
    if judged is None:
        return ""
    scores, cells = (
        ("This score chose it", "the best has") if same else ("These scores chose them", "they have")
    )
    text = f" {scores} among {judged.cells:,} cells and so tend{'s' if same else ''} to be too good"
    values = [judged.best_held_out] if same else [judged.held_out, judged.best_held_out]
    available = [value for value in values if value is not None]
    if len(available) < len(values) or best.quality is None:
        return f"{text}."
    with_documents = best.simultaneous is not None and best.simultaneous.documents is not None
    sign = -1 if best.quality.turned else 1
    return (
        f"{text}: chosen by some seeds{' and documents' if with_documents else ''} and scored on the others, "
        f"{cells} {' and '.join(f'{sign * value:.3f}' for value in available)}."
    )


def _reaching(least: str, named: str | None, best: str) -> str:
    """The answer where good enough is a least quality: what that is, and what is named."""
    if named is None:
        return f"No model scored {least} or more. The highest score is that of {best}."
    text = f"The cheapest that scored {least} or more is {named}"
    return text + (
        ". It also scored highest." if named == best else f"; the highest score is that of {best}."
    )


def _reached(judged: GoodEnough) -> list[_Said]:
    """What is known of the model named, and of those that cost less, where good enough is a least quality."""
    if judged.shown:
        said = [_Said(f"{judged.cell} is shown to reach it.")]
    else:
        said = [_Said(f"Whether {judged.cell} would reach it is open.")]
    if judged.cheaper and not judged.open_cheaper:
        said.append(_Said("Nothing cheaper reaches it."))
    return said


def _shown(judged: GoodEnough, near: str, scale: DifferenceUnit, cell: str) -> _Said:
    """What is known of the model named against all others. `cell`: what it is called."""
    if judged.shown:
        return _Said(f"{'It' if cell == 'it' else cell} is shown to be {near} of the best of all.")
    if judged.most_below is None:
        return _Said(f"Whether {cell} is {near} of the best of all cannot be judged yet.", limits=False)
    most = scale.limit(judged.most_below)
    unjudged = f"; {judged.unjudged} of the others cannot be judged" if judged.unjudged else ""
    if not judged.most_below:
        open_ = f"Whether {cell} is {near} of the best of all is open{unjudged.replace(';', ':')}."
        return _Said(open_, limits=False)
    return _Said(
        f"Whether {cell} is {near} of the best of all is open: another one may be up to "
        f"{scale.with_unit(most)} better{unjudged}."
    )


def _cheaper(points: Sequence[Point], judged: GoodEnough, near: str, scale: DifferenceUnit) -> list[_Said]:
    """What is known of the cells that cost less than the best."""
    if not judged.cheaper:
        return [_Said("Nothing is cheaper.", limits=False)]
    saved = _Said(saving(points, judged, scale))
    open_names = judged.open_cheaper
    if not open_names:
        return [_Said(f"Nothing cheaper comes {near} of it."), saved]
    limits = {name: ends for name in open_names if (ends := judged.cheaper[name]) is not None}
    if not limits:
        return [
            _Said(f"Whether anything cheaper comes {near} of it cannot be judged yet.", limits=False),
            saved,
        ]
    name, (low, high) = min(limits.items(), key=lambda item: (sum(item[1]), item[0]))
    below = (
        f"scored {scale.with_unit((low + high) / 2)} below it, one-sided limits "
        f"{scale.amount(scale.limit(low))} and {scale.amount(scale.limit(high))}"
    )
    text = f"Whether anything cheaper comes {near} of it is open:"
    proposed = cheapest_not_worse(points, judged)
    if proposed is not None and proposed[0].name == name:
        cost = of_cost(proposed[1])
        return [_Said(f"{text} {name} costs {cost} as much and {below}, and was not shown to be worse.")]
    scored = f"the seeds of {name} that worked" if name in judged.by_seeds_that_worked else name
    return [_Said(f"{text} {scored} {below}."), saved]


def _named(point: Point, metric: str, unit: str) -> str:
    cost, _ = cost_and_quality(point)
    text = score_of(point)
    missing = f", its backbone saw {point.saw} in pretraining" if point.saw else ""
    reason = point.reason if point.state is PointState.PARTIAL or point.failed else None
    missing += f", {reason}" if reason else ""
    plain = f", which is {point.plain}" if point.plain else ""
    return f"{point.name}{plain}: {metric} {text} at {device_time(cost, unit)} a training run{missing}"


def _between(best: str, close: str, claims: Sequence[Claim]) -> str:
    """Return whether the two can be distinguished, as a sentence; empty where they are not compared."""
    claim = next((c for c in claims if {c.better, c.worse} == {best, close}), None)
    if claim is None or claim.distinguishable is None:
        return ""
    if claim.distinguishable:
        return " The two can be distinguished."
    if claim.by_best_set is SetVerdict.WORSE:
        return " By the set of the best, the one that scored highest is better."
    return " These results do not distinguish the two."


def _nothing(points: Sequence[Point]) -> str:
    planned = sum(p.trainings.number for p in points)
    return f"No result yet: 0 of {planned} trials are finished."
