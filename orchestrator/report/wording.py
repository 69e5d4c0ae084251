"""Figures and findings as words: the same in HTML, Markdown and on the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from types import MappingProxyType
from typing import Protocol

from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.target import NEAR, Target
from orchestrator.contracts.tuning import Value
from orchestrator.contracts.vocabulary import Signature
from orchestrator.report.evidence import Claim, ClaimFamily, GoodEnough, Simultaneous
from orchestrator.report.findings import Replicated, Replication, Verdict
from orchestrator.report.frontier import CLOSE, best, cheapest_enough
from orchestrator.report.model import Comparison, Point, PointState
from orchestrator.report.naming import marked, marks_of
from orchestrator.report.points import figures
from orchestrator.report.saying import Scale
from orchestrator.report.statistics import Summary, mirrored, share_interval

MISSING = "–"


class Scored(Protocol):
    """What has a quality, and the interval of it that is printed."""

    @property
    def quality(self) -> Summary | None: ...

    @property
    def simultaneous(self) -> Simultaneous | None: ...


def hours(value: float | None) -> str:
    """Two significant digits, never as a power of ten."""
    if value is None:
        return MISSING
    if value >= 100:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    text = f"{value:.2g}"
    return f"{value:.6f}" if "e" in text else text


def time(hours_: float | None) -> str:
    """`0.35 s`, `28 s`, `3.4 min`, `2.1 h`: two significant digits."""
    if hours_ is None:
        return MISSING
    seconds = 3600 * hours_
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size * 0.995:
            return f"{hours(seconds / size)} {unit}"
    return f"{hours(seconds)} s"


def device_time(hours_: float | None, unit: str) -> str:
    """`28 s on one core`. `unit`: core-hours, GPU-hours or device-hours."""
    return MISSING if hours_ is None else f"{time(hours_)} {on_one(unit)}"


def on_one(unit: str) -> str:
    """`on one core`."""
    return f"on one {unit.removesuffix('-hours')}"


def count(value: int | None) -> str:
    """4.4M, 12.3k, 870."""
    if value is None:
        return MISSING
    for size, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.1f}{letter}"
    return str(value)


def short(metric_title: str) -> str:
    """Without the definition in brackets, which stands above the plot."""
    return metric_title.split(" (")[0]


def score(summary: Summary | None) -> str:
    """`0.812`."""
    return MISSING if summary is None else f"{summary.read.mean:.3f}"


def interval(summary: Summary | None) -> str:
    """`0.795 to 0.829`, over seeds alone, or why there is none."""
    if summary is None:
        return MISSING
    return _no_interval(summary) if summary.interval is None else ends(summary.read.interval)


def interval_of(point: Scored) -> str:
    """`0.795 to 0.829`, for all cells at once, or why there is none."""
    if point.quality is None:
        return MISSING
    found = read_interval(point)
    return _no_interval(point.quality) if found is None else ends(found)


def _no_interval(summary: Summary) -> str:
    if summary.n > 1 and summary.failed:
        return f"none: {summary.failed} of {summary.n} seeds failed"
    return "none: n = 1" if summary.n == 1 else "none: all alike"


def read_interval(point: Scored) -> tuple[float, float] | None:
    """That of all cells at once; of a loss, as it is read."""
    found = None if point.simultaneous is None else point.simultaneous.interval
    return mirrored(found) if point.quality is not None and point.quality.turned else found


def over(points: Sequence[Scored]) -> str:
    """What the intervals of these are over: `over seeds and documents`."""
    known = [p.simultaneous for p in points if p.simultaneous is not None]
    told = [found.documents is not None for found in known]
    if told and all(told):
        return "over seeds and documents"
    return "over seeds and, where told, documents" if any(told) else "over seeds alone"


def ends(interval: tuple[float, float] | None, digits: int = 3) -> str:
    """`0.795 to 0.829` of any interval."""
    if interval is None:
        return MISSING
    low, high = interval
    return f"{low:.{digits}f} to {high:.{digits}f}"


def score_with_interval(summary: Summary) -> str:
    """`0.812 (95 % 0.795 to 0.829 over 3 seeds alone)`."""
    if summary.interval is None:
        return f"{score(summary)} ({_without_interval(summary)})"
    return f"{score(summary)} (95 % {interval(summary)} over {summary.n} seeds alone)"


def score_of(point: Scored) -> str:
    """`0.812 (95 % 0.795 to 0.829 over 3 seeds and 150 documents, for all 12 cells at once)`."""
    found = point.simultaneous
    if point.quality is None:
        return MISSING
    if found is None or found.interval is None:
        return f"{score(point.quality)} ({_without_interval(point.quality)})"
    at_once = f", for all {found.cells:,} cells at once" if found.cells > 1 else ""
    return f"{score(point.quality)} (95 % {ends(read_interval(point))} over {found.over}{at_once})"


def _without_interval(summary: Summary) -> str:
    """Why there is none; with failed seeds the scores themselves, and the share of seeds that fail."""
    if summary.n > 1 and summary.failed:
        seeds = ", ".join(f"{value:.3f}" for value in sorted(summary.read.values))
        low, high = (100 * end for end in share_interval(summary.failed, summary.n))
        fail = f"{low:.0f} to {high:.0f} % of seeds fail (95 % over {summary.n} seeds)"
        return f"mean of {seeds}, so no interval; {fail}"
    return f"n = {summary.n}{'' if summary.n == 1 else ', all alike'}, so no interval"


def within(metric: MetricName, points: float = 100 * CLOSE) -> str:
    """`within 1 point`, and of a loss `within 0.01`."""
    if metric is MetricName.LOSS:
        return f"within {points / 100:g}"
    return f"within {points:g} {'point' if points == 1 else 'points'}"


def enough(target: Target, metric: MetricName) -> str:
    """`within 1 point of the best`, or `at least 0.85`."""
    if target.at_least is not None:
        return f"at least {target.at_least:g}"
    return f"{within(metric, 100 * (target.within or CLOSE))} of the best"


def remark(point: Point) -> str:
    """What a reader of this point's line should know beside its figures; empty where there is nothing."""
    parts = [point.reason, _sharing(point), f"saw {point.saw} in pretraining" if point.saw else None]
    for signature, words in _SIGNATURES.items():
        if point.signatures.get(signature):
            parts.append(f"{point.signatures[signature]} of {point.seeds} seeds {words}")
    parts += [rows(point), f"budget {point.budget}" if point.budget else None]
    return "; ".join(part for part in parts if part)


def _sharing(point: Point) -> str | None:
    if not point.shared_gpu:
        return None
    if point.device_hours is None:
        return "shared a GPU and was not calibrated: no comparable cost"
    return f"shared a GPU; cost of a calibration, {hours(point.billed_hours)} were billed"


_SIGNATURES = {
    Signature.PLATEAUED: "never rose",
    Signature.IMPROVING: "still rising at the end",
}


def rows(point: Point) -> str | None:
    """The training rows that were reached, where the recipe caps them."""
    if point.train_rows is None:
        return None
    text = f"{span(point.train_rows)} training rows"
    return text if point.class_rows is None else f"{text}, {span(point.class_rows)} a class"


def span(ends: tuple[int, int]) -> str:
    """`16`, or `3,520 to 4,096`."""
    low, high = ends
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def answers(
    metric: MetricName,
    comparisons: Sequence[Comparison],
    points: Sequence[Point],
    claims: Sequence[ClaimFamily] = (),
    judged: Sequence[GoodEnough] = (),
    target: Target = NEAR,
    unlearned: Mapping[str, str] = MappingProxyType({}),
) -> tuple[str, ...]:
    """One answer a comparison key; one that says what is missing where there is no result yet."""
    if not comparisons:
        return (_nothing(points),)
    found = []
    for comparison in comparisons:
        group = [p for p in points if p.comparison == comparison.label]
        steps = [
            c for f in claims if f.name == "frontier" and f.comparison == comparison.label for c in f.claims
        ]
        close = next((one for one in judged if one.comparison == comparison.label), None)
        if why := unlearned.get(comparison.label):
            text = f"{why} {_highest(metric, comparison.unit, group)}{INSTEAD}"
        else:
            text = _answer((metric, target), comparison.unit, group, steps, close)
        found.append(f"On {comparison.label}: {text[0].lower()}{text[1:]}" if len(comparisons) > 1 else text)
    return tuple(found)


INSTEAD = " So nothing is recommended: train longer, on more rows, or with another learning rate first."


def _highest(name: MetricName, unit: str, points: Sequence[Point]) -> str:
    """What scored highest, where that recommends nothing."""
    top = best([figures(p) for p in points])
    if top is None:
        return "No trial came to its end."
    return f"The highest score is that of {_named(points[top], short(METRICS[name].title), unit)}."


def _answer(
    of: tuple[MetricName, Target],
    unit: str,
    points: Sequence[Point],
    claims: Sequence[Claim],
    judged: GoodEnough | None,
) -> str:
    name, target = of
    results = [figures(p) for p in points]
    close, top = cheapest_enough(results, target), best(results)
    metric, sure = short(METRICS[name].title), f"95 % {over(points)}, all cells at once"
    if top is None:
        return "No finished trial has a score."
    marks = marks_of(points)
    if target.at_least is not None:
        named = None if close is None else _named(points[close], metric, unit)
        best_named, least = _named(points[top], metric, unit), f"{metric} {target.at_least:g}"
        return _reaching((least, named, best_named), judged, sure, marks)
    assert close is not None
    near = enough(target, name).removesuffix(" of the best")
    scale = Scale("", name is not MetricName.LOSS)
    shown = "" if judged is None else _shown(judged, near, scale, sure)
    chosen = _chosen(judged, close == top, points[top])
    if close == top:
        cheaper = "" if judged is None else _cheaper(judged, near, scale, sure)
        doubts = marked(cheaper + shown, marks)
        return f"The best is {_named(points[top], metric, unit)}.{chosen}{doubts}"
    ending = _between(points[top].name, points[close].name, claims)
    return (
        f"The cheapest {near} of the best is {_named(points[close], metric, unit)}; "
        f"the best is {_named(points[top], metric, unit)}.{chosen}{marked(shown, marks)}{ending}"
    )


def _chosen(judged: GoodEnough | None, same: bool, best: Point) -> str:
    """That scores which choose are too good, and what they are without it. `same`: the best is named."""
    if judged is None:
        return ""
    scores, cells = (
        ("This score chose it", "the best has") if same else ("These scores chose them", "they have")
    )
    text = f" {scores} among {judged.cells:,} cells and so tend{'s' if same else ''} to be too good"
    found = [judged.best_held_out] if same else [judged.held_out, judged.best_held_out]
    known = [value for value in found if value is not None]
    if len(known) < len(found) or best.quality is None:
        return f"{text}."
    told = best.simultaneous is not None and best.simultaneous.documents is not None
    sign = -1 if best.quality.turned else 1
    return (
        f"{text}: chosen by some seeds{' and documents' if told else ''} and scored on the others, "
        f"{cells} {' and '.join(f'{sign * value:.3f}' for value in known)}."
    )


def _reaching(
    of: tuple[str, str | None, str], judged: GoodEnough | None, sure: str, marks: Mapping[str, str]
) -> str:
    """The answer where good enough is a least quality: what that is, and what is named."""
    least, named, best = of
    if named is None:
        return f"No model reaches {least}. The best is {best}."
    text = f"The cheapest that reaches {least} is {named}"
    text += ". It is also the best." if named == best else f"; the best is {best}."
    if judged is None:
        return text
    cell = f"{judged.cell} ({marks[judged.cell]})" if judged.cell in marks else judged.cell
    if judged.shown:
        text += f" {cell} is shown to reach it ({sure})."
    else:
        text += f" Whether {cell} would reach it with other seeds and documents is open."
    if judged.cheaper and not judged.open_cheaper:
        text += f" Nothing cheaper reaches it ({sure})."
    return text


def _shown(judged: GoodEnough, near: str, scale: Scale, sure: str) -> str:
    """What is known of the model named against all others."""
    if judged.shown:
        return f" {judged.cell} is shown to be {near} of the best of all ({sure})."
    if judged.most_below is None:
        return f" Whether {judged.cell} is {near} of the best of all cannot be judged yet."
    most = min(judged.most_below, 1.0) if scale.points else judged.most_below
    unjudged = f"; {judged.unjudged} of the others cannot be judged" if judged.unjudged else ""
    return (
        f" Whether {judged.cell} is {near} of the best of all is open: another one may be up to "
        f"{scale.with_unit(most)} better ({sure}){unjudged}."
    )


def _cheaper(judged: GoodEnough, near: str, scale: Scale, sure: str) -> str:
    """What is known of the cells that cost less than the best."""
    if not judged.cheaper:
        return " Nothing is cheaper."
    found = judged.open_cheaper
    if not found:
        return f" Nothing cheaper comes {near} of it ({sure})."
    known = {name: ends for name in found if (ends := judged.cheaper[name]) is not None}
    if not known:
        return f" Whether anything cheaper comes {near} of it cannot be judged yet."
    name, (low, high) = min(known.items(), key=lambda item: (sum(item[1]), item[0]))
    return (
        f" Whether anything cheaper comes {near} of it is open: {name} scored "
        f"{scale.with_unit((low + high) / 2)} below it, {scale.amount(low)} to {scale.amount(high)} ({sure})."
    )


def _named(point: Point, metric: str, unit: str) -> str:
    cost, _ = figures(point)
    text = score_of(point)
    missing = f", its backbone saw {point.saw} in pretraining" if point.saw else ""
    told = point.reason if point.state is PointState.PARTIAL or point.failed else None
    missing += f", {told}" if told else ""
    return f"{point.name}: {metric} {text} at {hours(cost)} {unit} a trial{missing}"


def _between(best: str, close: str, claims: Sequence[Claim]) -> str:
    """Whether the two are told apart, where that can be said."""
    claim = next((c for c in claims if {c.better, c.worse} == {best, close}), None)
    if claim is None or claim.told_apart is None:
        return ""
    if claim.told_apart:
        return " The two are told apart."
    return " These results do not tell the two apart."


def _nothing(points: Sequence[Point]) -> str:
    planned = sum(p.planned_seeds for p in points)
    return f"No result yet: 0 of {planned} trials are finished."


def signed(value: float | None) -> str:
    """`+0.012`, `-0.003`."""
    return MISSING if value is None else f"{value:+.3f}"


def signed_ends(interval: tuple[float, float] | None) -> str:
    """`-0.003 to +0.012`."""
    return MISSING if interval is None else " to ".join(map(signed, interval))


def times(value: float | None) -> str:
    """`0.24 ×`."""
    return MISSING if value is None else f"{value:.2g} ×"


def settings(values: Mapping[str, Value]) -> str:
    """`learning_rate 0.0003, dropout 0.1`."""
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )


def why(row: Replicated) -> str:
    """What to know about a replicated number: `theirs: median, sd 0.004, n = 3; …; ours: n = 2; …`."""
    theirs = [row.published.statistic]
    theirs += [f"sd {row.published.sd:g}"] if row.published.sd is not None else []
    theirs += [f"n = {row.published.n}"] if row.published.n is not None else []
    theirs += [row.published.note] if row.published.note else []
    ours = [f"n = {row.ours.n}", *(part for part in (row.why, row.remark) if part)]
    return f"theirs: {', '.join(theirs)}; ours: {', '.join(ours)}"


def verdict(found: Replication) -> str:
    """The replication in a sentence."""
    if not found.rows:
        return f"None of the {found.published} published numbers has one of ours beside it yet."
    held = len({id(row.published) for row in found.rows})
    text = f"{held} of {found.published} published numbers have ours beside them: "
    agree, differ, unsettled = (found.count(one) for one in Verdict)
    text += f"{agree} agree within 1 point, {differ} differ by more, {unsettled} are open"
    text += " (two one-sided tests at 5 % over our seeds and their runs, each number alone)."
    apart = [100 * row.difference for row in found.rows]
    if len(apart) > 2:
        mean, spread = fmean(apart), 1.96 * stdev(apart)
        low, high = mean - spread, mean + spread
        text += f" Ours less theirs is {mean:+.1f} points in the mean, mostly from {low:+.1f} to {high:+.1f}."
    return f"{text} It says nothing about other splits or settings."
