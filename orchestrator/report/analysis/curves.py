"""Learning curves: quality on dev after so many training steps, as the mean over the seeds of a cell."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record
from orchestrator.report.statistics.summary import Summary, summarise_quality

MOST_VALUES = 60  # of a curve: a longer one is thinned, its ends kept

Evaluations = Sequence[tuple[int, float]]  # (step, quality on dev), rising


class CurveValue(Record):
    """One evaluation. `step` is the mean of the seeds' where a budget of seconds sets them apart."""

    step: float
    quality: Summary


class Curve(Record):
    """How a cell learnt. Only evaluations that all of its finished seeds reached: a mean whose seeds come and
    go would move without anything having been learnt or lost."""

    cell: str  # model/domain/method
    domain: str
    method: str
    comparison: str | None
    values: tuple[CurveValue, ...]

    @property
    def best(self) -> CurveValue:
        return max(self.values, key=lambda value: value.quality.mean)


def curve_values(seeds: Sequence[Evaluations], metric: MetricName) -> tuple[CurveValue, ...]:
    """Summarise each evaluation over the seeds; empty where one of them was never scored on dev."""
    shared = min((len(seed) for seed in seeds), default=0)
    values = []
    for index in _thinned(shared):
        summary = summarise_quality([seed[index][1] for seed in seeds], metric)
        assert summary is not None
        steps = [seed[index][0] for seed in seeds]
        values.append(CurveValue(step=sum(steps) / len(steps), quality=summary))
    return tuple(values)


def _thinned(count: int) -> list[int]:
    if count <= MOST_VALUES:
        return list(range(count))
    return [round(i * (count - 1) / (MOST_VALUES - 1)) for i in range(MOST_VALUES)]
