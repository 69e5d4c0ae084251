"""Figures and findings as words: the same in HTML, Markdown and on the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.target import Target
from orchestrator.contracts.tuning import Value
from orchestrator.contracts.vocabulary import Signature
from orchestrator.report.results.point import Point
from orchestrator.report.statistics.pareto import CLOSE
from orchestrator.report.statistics.simultaneous import Simultaneous
from orchestrator.report.statistics.summary import Summary, mirrored, share_interval
from orchestrator.units import MISSING, count_range, hours, interval_ends


class HasQuality(Protocol):
    """What has a quality, and the interval of it that is printed."""

    @property
    def quality(self) -> Summary | None: ...

    @property
    def simultaneous(self) -> Simultaneous | None: ...


def short(metric_title: str) -> str:
    """Return the title without the definition in brackets, which is given above the plot."""
    return metric_title.split(" (")[0]


def mean_text(summary: Summary | None) -> str:
    """`0.812`."""
    return MISSING if summary is None else f"{summary.read.mean:.3f}"


def interval(summary: Summary | None) -> str:
    """`0.795 to 0.829`, over seeds alone, or why there is none."""
    if summary is None:
        return MISSING
    return _no_interval(summary) if summary.interval is None else interval_ends(summary.read.interval)


def interval_of(point: HasQuality) -> str:
    """`0.795 to 0.829`, for all cells at once, or why there is none."""
    if point.quality is None:
        return MISSING
    ends = read_interval(point)
    return _no_interval(point.quality) if ends is None else interval_ends(ends)


def _no_interval(summary: Summary) -> str:
    if summary.n > 1 and summary.failed:
        return f"none: {summary.failed} of {summary.n} seeds failed"
    return "none: n = 1" if summary.n == 1 else "none: all alike"


def read_interval(point: HasQuality) -> tuple[float, float] | None:
    """Return the interval of all cells at once; of a loss or an error, as it is read."""
    ends = None if point.simultaneous is None else point.simultaneous.interval
    return mirrored(ends) if point.quality is not None and point.quality.turned else ends


def over(points: Sequence[HasQuality]) -> str:
    """Say what the intervals of these points cover: `over seeds and documents`."""
    intervals = [p.simultaneous for p in points if p.simultaneous is not None]
    with_documents = [interval.documents is not None for interval in intervals]
    if with_documents and all(with_documents):
        return "over seeds and documents"
    return "over seeds and, where recorded, documents" if any(with_documents) else "over seeds alone"


def score_with_interval(summary: Summary) -> str:
    """`0.812 (95 % 0.795 to 0.829 over 3 seeds alone)`."""
    if summary.interval is None:
        return f"{mean_text(summary)} ({_without_interval(summary)})"
    return f"{mean_text(summary)} (95 % {interval(summary)} over {summary.n} seeds alone)"


def score_of(point: HasQuality) -> str:
    """`0.812 (95 % 0.795 to 0.829 over 3 seeds and 150 documents, for all 12 cells at once)`."""
    at_once = point.simultaneous
    if point.quality is None:
        return MISSING
    if at_once is None or at_once.interval is None:
        return f"{mean_text(point.quality)} ({_without_interval(point.quality)})"
    for_all = f", for all {at_once.cells:,} cells at once" if at_once.cells > 1 else ""
    ends = interval_ends(read_interval(point))
    return f"{mean_text(point.quality)} (95 % {ends} over {at_once.over}{for_all})"


def _without_interval(summary: Summary) -> str:
    """Say why there is no interval; with failed seeds list the scores, and the share of seeds that fail."""
    if summary.n > 1 and summary.failed:
        seeds = ", ".join(f"{value:.3f}" for value in sorted(summary.read.values))
        low, high = (100 * end for end in share_interval(summary.failed, summary.n))
        fail = f"{low:.0f} to {high:.0f} % of seeds fail (95 % over {summary.n} seeds)"
        return f"mean of {seeds}, so no interval; {fail}"
    return f"n = {summary.n}{'' if summary.n == 1 else ', all alike'}, so no interval"


def metric_title(metric: MetricName, unit: str | None = None) -> str:
    """`macro F1`, `mean absolute error in days`."""
    return f"{METRICS[metric].title} in {unit}" if unit else METRICS[metric].title


def within(metric: MetricName, points: float = 100 * CLOSE, unit: str | None = None) -> str:
    """`within 1 point`, of a loss `within 0.01`, and of an error `within 0.5 days`."""
    if not METRICS[metric].higher_is_better:
        return f"within {points / 100:g} {unit}" if unit else f"within {points / 100:g}"
    return f"within {points:g} {'point' if points == 1 else 'points'}"


def enough(target: Target, metric: MetricName, unit: str | None = None) -> str:
    """`within 1 point of the best`, or `at least 0.85`."""
    if target.at_least is not None:
        return f"at least {target.at_least:g}"
    return f"{within(metric, 100 * (target.within or CLOSE), unit)} of the best"


def remark(point: Point) -> str:
    """Return the remarks on a point for its row; empty where there are none."""
    parts = [point.reason, _sharing(point), f"saw {point.saw} in pretraining" if point.saw else None]
    for signature, text in _SIGNATURES.items():
        if point.signatures.get(signature):
            parts.append(f"{point.signatures[signature]} of {point.seeds} seeds {text}")
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
    """Say how many training rows were reached, where the recipe caps them."""
    if point.train_rows is None:
        return None
    text = f"{count_range(point.train_rows)} training rows"
    if point.class_rows is None:
        return text
    of_class = "mentions a type" if MetricName.ENTITY_F1 in point.metrics else "a class"
    return f"{text}, {count_range(point.class_rows)} {of_class}"


def settings(values: Mapping[str, Value]) -> str:
    """`learning_rate 0.0003, dropout 0.1`."""
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )
