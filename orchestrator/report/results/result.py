"""What one trial has to show, and what decides whether two of them can be compared."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.outcome import ClassAnswers
from orchestrator.contracts.vocabulary import FailureKind, Precision, Signature
from orchestrator.tracking.energy import Energy

# Device type, precision, software. How many devices there were changes no device-hour.
Key = tuple[str, Precision | None, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Result:
    """A finished trial, or the finished folds of a seed together."""

    key: Key
    seed: int
    metric: MetricName  # that `quality` is
    quality: float | None
    metrics: dict[MetricName, float]
    missing: str | None  # why there is no quality
    device_hours: float | None  # None: it shared a GPU, and its cell was not calibrated on one of its own
    billed_hours: float  # device-hours that were paid for, whatever they were for
    shared: bool  # it had a part of a GPU: `device_hours` and `wall_seconds` are those of a calibration
    total_parameters: int | None
    trainable_parameters: int | None
    peak_memory_bytes: int | None
    tokens_per_second: float | None
    dev_metrics: dict[MetricName, float]
    head_parameters: int | None
    seconds_to_best: float | None  # in training steps
    signature: Signature | None
    train_rows: int | None
    class_rows: tuple[int, int] | None  # of the smallest and the largest class
    wall_seconds: float | None
    saved_bytes: int | None
    energy: Energy
    latency_ms: float | None  # of one answer at a time
    examples: ScoredExamples | None
    test_rows: int | None = None  # examples that it was scored on
    class_answers: dict[str, ClassAnswers] = field(default_factory=dict)  # of a fold
    # Those of the classes that precision, recall and F1 of the task are about, together.
    scored_answers: ClassAnswers | None = None
    # With folds, of the examples: those of folds whose training failed. `quality` is that of the others.
    failed_share: float = 0.0

    @property
    def collapsed(self) -> bool:
        """It came to its end, with a model that gives one answer to everything."""
        return self.signature is Signature.COLLAPSED


@dataclass(frozen=True)
class FailedSeed:
    """A trial that ended in a failure."""

    key: Key | None  # None: it failed before it knew its device
    seed: int
    kind: FailureKind
    test_rows: int | None = None  # None: it failed before it read them


def sum_of_part(part: array[float]) -> float:
    """Return the sum of the numerators, or denominators, of a record."""
    return float(np.frombuffer(part, dtype=np.float32).sum(dtype=np.float64))
