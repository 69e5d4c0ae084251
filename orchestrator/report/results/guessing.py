"""What guessing gives on the test part of a task: the floor of its scores.

Trials tell it of each metric, by the classes of train and test (`workers.guessing`). Of trials from before
they did, it is made of the classes of their training rows, taken to be as frequent in test. Where not even
these are known it is 0, which no score is below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind

_ONE_CLASS = (TaskKind.CLASSIFICATION, TaskKind.RELATION)  # whose scores class sizes give
_SHARES = (MetricName.ACCURACY, MetricName.MICRO_F1, MetricName.MICRO_F1_WITH_NEGATIVE)


class ClassCounts(NamedTuple):
    """What one trial tells of guessing. The one with the most training rows knows the classes best."""

    measured: bool
    rows: int
    scores: Mapping[MetricName, float]
    classes: Mapping[str, int]

    @classmethod
    def by(cls, outcome: Outcome) -> ClassCounts:
        rows = outcome.rows.get("train", 0)
        return cls(bool(outcome.guessing), rows, outcome.guessing, outcome.train_classes)

    def is_better(self, other: ClassCounts | None) -> bool:
        return other is None or self[:2] > other[:2]


class KnownClasses:
    """What the trials of one task tell of guessing. With folds its scores are means over their test parts."""

    def __init__(self) -> None:
        self._best: dict[tuple[int, int] | None, tuple[ClassCounts, int]] = {}  # by seed and fold

    def add(self, planned: PlannedTrial, outcome: Outcome) -> None:
        fold = None if planned.fold is None else (planned.seed, planned.fold.number)
        counts = ClassCounts.by(outcome)
        if fold not in self._best or counts.is_better(self._best[fold][0]):
            self._best[fold] = counts, outcome.rows.get(Split.TEST, 1)

    @property
    def counts(self) -> ClassCounts | None:
        """Return what is known, None where no trial has read the data."""
        if not self._best:
            return None
        told = [counts for counts, _ in self._best.values()]
        best = max(told, key=lambda counts: counts[:2])
        weights = [rows for counts, rows in self._best.values() if counts.measured]
        measured = [counts.scores for counts in told if counts.measured]
        names = set.intersection(*map(set, measured)) if measured else set()
        return best._replace(
            scores={
                name: float(np.average([scores[name] for scores in measured], weights=weights))
                for name in sorted(names)
            }
        )


class Guess(NamedTuple):
    """`scores`: by metric, as it is read. `measured`: on the test part, and not supposed. `known`: measured,
    made of the classes of train, or of a task of entities; else a score is a bound and no figure to show."""

    scores: Mapping[MetricName, float]
    measured: bool
    known: bool


def guess(task: TaskSpec, class_counts: ClassCounts | None) -> Guess:
    """Return the scores of guessing. `class_counts` are those of the trial that knows them best; None where
    no trial has read the data."""
    scores = {
        name: 0.0 for name, info in METRICS.items() if task.kind in info.kinds and info.higher_is_better
    }
    if MetricName.MACRO_AUROC in scores:
        scores[MetricName.MACRO_AUROC] = 0.5
    counts = class_counts.classes if class_counts is not None and task.kind in _ONE_CLASS else {}
    shares = [count / sum(counts.values()) for count in counts.values() if count]
    if shares:
        by_share = {name: _of_commonest(name, max(shares), len(shares)) for name in scores}
        scores |= {name: score for name, score in by_share.items() if score is not None}
        scores[MetricName.LOSS] = -math.fsum(share * math.log(share) for share in shares)
    if class_counts is not None and class_counts.measured:
        # A metric that was undefined is supposed.
        return Guess({**scores, **class_counts.scores}, measured=True, known=True)
    return Guess(scores, measured=False, known=bool(shares) or task.kind is TaskKind.NER)


def _of_commonest(metric: MetricName, share: float, classes: int) -> float | None:
    """Return the score of the commonest of so many classes, given to all. None for metrics that its share
    does not give."""
    f1 = 2 * share / (1 + share)
    if metric is MetricName.MACRO_F1:
        return f1 / classes
    if metric is MetricName.WEIGHTED_F1:
        return f1 * share
    return share if metric in _SHARES else None
