"""The folds of one seed, pooled into one result, as if one training had been tested on all documents.

The score of a seed is that of the answers of all its folds together, but for AUROC, Pearson's correlation and
the loss, which are means of the folds' scores (`pooled_metrics`). What each document adds to it is known from
the fold that tested it. Costs are those of one training: means over the folds. A seed with a fold that is
missing, or that the machine or a limit ended, has no score. Folds whose training failed leave the seed one,
to which they add what guessing gives.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from orchestrator.contracts.examples import ScoredExamples, floats
from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.vocabulary import Signature, Source, TrialState
from orchestrator.report.results.pooled_metrics import COMPUTED, pooled_metrics
from orchestrator.report.results.result import FailedSeed, Result, sum_of_part
from orchestrator.tracking.energy import Energy

T = TypeVar("T")


@dataclass(frozen=True)
class SeedOutcome:
    """What the folds of a seed make of it. At most one of `result` and `failure` is there."""

    state: TrialState
    result: Result | None = None
    failure: FailedSeed | None = None


class SeedFolds:
    """The folds of one seed so far. `of`: how many there are."""

    def __init__(self, of: int) -> None:
        self.of = of
        self.states: list[TrialState] = []
        self.results: list[Result] = []
        self.failures: list[FailedSeed] = []

    @property
    def failed(self) -> list[FailedSeed]:
        """Return the folds whose training failed and that have no result."""
        return [failure for failure in self.failures if failure.kind.blames_the_training]

    @property
    def mixed(self) -> bool:
        """Return whether finished folds cannot be pooled, because they ran on different set-ups."""
        return len({result.key for result in self.results}) > 1

    @property
    def missing(self) -> int:
        """Return how many folds have neither a result nor a training that failed."""
        return self.of - len(self.results) - len(self.failed)

    def outcome(self) -> SeedOutcome:
        state = self._state()
        if self.missing or self.mixed:
            return SeedOutcome(state)
        if not self.results:
            return SeedOutcome(state, failure=self.failed[0])
        return SeedOutcome(state, pooled(self.results, self.failed))

    def _state(self) -> TrialState:
        """Return FAILED only once all folds have ended: until then the seed may still get a score."""
        states = {*self.states, *([TrialState.NEW] if len(self.states) < self.of else [])}
        if states == {TrialState.FINISHED} and self.mixed:
            return TrialState.UNFINISHED
        if len(states) == 1:
            return states.pop()
        if states & {TrialState.NEW, TrialState.UNFINISHED}:
            return TrialState.UNFINISHED
        return TrialState.STALE if TrialState.STALE in states else TrialState.FAILED


def pooled(results: Sequence[Result], failed: Sequence[FailedSeed] = ()) -> Result:
    """Return the result of a seed from its folds. `failed`: those whose training failed without a result."""
    worked = [result for result in results if not result.collapsed]
    commonest = _commonest(result.signature for result in worked)
    signature = commonest if worked else Signature.COLLAPSED
    worked = worked or list(results)
    lost = [r.test_rows for r in results if r.collapsed] + [f.test_rows for f in failed]
    weights = [result.test_rows or 1 for result in worked]
    metrics = pooled_metrics(worked, weights)
    quality, examples = _score(worked, metrics)
    first = worked[0]
    return replace(
        first,
        quality=quality,
        failed_share=_share(lost, weights) if len(worked) < len(results) + len(failed) else 0.0,
        metrics=metrics,
        missing=next((r.missing for r in worked if r.missing), None) if quality is None else None,
        device_hours=_mean([result.device_hours for result in results]),
        billed_hours=math.fsum(result.billed_hours for result in results) / len(results),
        shared=any(result.shared for result in results),
        peak_memory_bytes=_largest(result.peak_memory_bytes for result in results),
        tokens_per_second=_mean([result.tokens_per_second for result in results]),
        dev_metrics=_means([result.dev_metrics for result in worked]),
        seconds_to_best=_mean([result.seconds_to_best for result in results]),
        signature=signature,
        train_rows=min((r.train_rows for r in results if r.train_rows is not None), default=None),
        class_rows=_range([result.class_rows for result in results]),
        wall_seconds=_mean([result.wall_seconds for result in results]),
        saved_bytes=_largest(result.saved_bytes for result in results),
        energy=_energy([result.energy for result in results]),
        latency_ms=_mean([result.latency_ms for result in results]),
        examples=examples if len(worked) == len(results) + len(failed) else None,
        test_rows=sum(weights),
    )


def _score(
    worked: Sequence[Result], metrics: dict[MetricName, float]
) -> tuple[float | None, ScoredExamples | None]:
    """Return the quality, and what each document adds to it."""
    metric, examples = worked[0].metric, _together([result.examples for result in worked])
    score = metrics.get(metric)
    if examples is not None and metric not in COMPUTED:
        score = sum_of_part(examples.numerator) / sum_of_part(examples.denominator)
    if score is None:
        return None, None
    metrics[metric] = score
    quality = score if METRICS[metric].higher_is_better else -score
    return quality, None if examples is None else _of_score(examples, score)


def _of_score(examples: ScoredExamples, score: float) -> ScoredExamples:
    """Return what each document adds, moved so that together they make `score`."""
    numerator, denominator = (
        np.frombuffer(part, dtype=np.float32).astype(np.float64)
        for part in (examples.numerator, examples.denominator)
    )
    moved = numerator + denominator * (score - numerator.sum() / denominator.sum())
    return replace(examples, numerator=floats(moved))


def _together(parts: Sequence[ScoredExamples | None]) -> ScoredExamples | None:
    """Return what all documents add, each as the fold that tested it says; None unless all folds tell of the
    same documents."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({(p.metric, p.test_set, len(p.numerator)) for p in known}) > 1:
        return None
    numerator, denominator = (
        floats(np.sum([np.frombuffer(part, dtype=np.float32) for part in both], axis=0))
        for both in ([p.numerator for p in known], [p.denominator for p in known])
    )
    return ScoredExamples(known[0].metric, known[0].test_set, numerator, denominator, known[0].unit)


def _share(lost: Sequence[int | None], worked: Sequence[int]) -> float:
    """Return the share of the examples in folds whose training failed; one that did not count them has as
    many as the others."""
    usual = sum(worked) / len(worked)
    rows = math.fsum(usual if count is None else count for count in lost)
    return rows / (rows + sum(worked))


def _means(scores: Sequence[dict[MetricName, float]]) -> dict[MetricName, float]:
    """Return the means of the metrics that all folds have."""
    names = set.intersection(*(set(metrics) for metrics in scores))
    return {name: math.fsum(metrics[name] for metrics in scores) / len(scores) for name in names}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) else None


def _largest(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _range(values: Sequence[tuple[int, int] | None]) -> tuple[int, int] | None:
    known = [value for value in values if value is not None]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def _commonest(values: Iterable[T | None]) -> T | None:
    counts = Counter(value for value in values if value is not None)
    return counts.most_common(1)[0][0] if counts else None


def _energy(energies: Sequence[Energy]) -> Energy:
    """Return the mean, as certain as the least certain of them."""
    worst = max(energies, key=lambda energy: list(Source).index(energy.source))
    joules = _mean([energy.joules for energy in energies])
    return replace(worst, joules=joules) if joules is not None else worst
