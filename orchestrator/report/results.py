"""From the records of trials to what each cell has to show. One pass; nothing of a record is kept."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.ledger import AttemptRecord, TrialRecord
from orchestrator.contracts.metrics import MetricName, Metrics, quality
from orchestrator.contracts.outcome import Device, Outcome
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import Phase, Precision, Signature, TrialState
from orchestrator.report.energy import Energy, energy_of

_ROUNDED = 1e-5  # what a score may be off by, made of numbers that were written down

# Device type, precision, software, allocated devices (None: not told), how they are used.
Key = tuple[str, Precision | None, tuple[tuple[str, str], ...], float | None, str]
ExamplesOf = Callable[[AttemptRecord], ScoredExamples | None]  # None: the attempt tells nothing of them


@dataclass(frozen=True)
class Result:
    """A finished trial."""

    key: Key
    seed: int
    quality: float | None
    metrics: dict[MetricName, float]
    missing: str | None  # why there is no quality
    device_hours: float
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


@dataclass
class CellResults:
    """The trials of one cell so far."""

    cell: Cell
    results: list[Result] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)  # kinds
    states: dict[TrialState, int] = field(default_factory=lambda: dict.fromkeys(TrialState, 0))

    @property
    def planned(self) -> int:
        return sum(self.states.values())

    def add(self, record: TrialRecord, examples_of: ExamplesOf) -> None:
        self.states[record.state] += 1
        outcome, attempt = record.outcome, record.decisive
        if outcome is None or attempt is None:
            return
        if record.state is TrialState.FAILED and outcome.failure is not None:
            self.failures.append(outcome.failure.kind.value)
        if record.state is TrialState.FINISHED:
            device = outcome.device
            key = _key(device, attempt.device_type)
            self.results.append(_result(record, outcome, key, examples_of(attempt), attempt))


def key_of(record: TrialRecord, outcome: Outcome) -> Key:
    """Of a finished trial."""
    attempt = record.decisive
    return _key(outcome.device, attempt.device_type if attempt is not None else "")


def _key(device: Device | None, billed_type: str) -> Key:
    if device is None:
        return billed_type, None, (), None, ""
    software = tuple(sorted(device.software.items()))
    return device.type, device.precision, software, device.count, device.spread


def _result(
    record: TrialRecord, outcome: Outcome, key: Key, examples: ScoredExamples | None, attempt: AttemptRecord
) -> Result:
    devices, shared = attempt.devices, attempt.resources.shares_a_gpu
    primary = outcome.test.get(outcome.metric)
    parameters = outcome.parameters
    return Result(
        key=key,
        seed=record.planned.seed,
        quality=quality(outcome.metric, outcome.test),
        metrics=_there(outcome.test),
        missing="not scored" if primary is None else primary.missing,
        device_hours=record.useful_device_seconds / 3600,
        total_parameters=parameters.total if parameters else None,
        trainable_parameters=parameters.trainable if parameters else None,
        peak_memory_bytes=outcome.peak_device_memory_bytes or outcome.peak_host_memory_bytes,
        tokens_per_second=outcome.tokens_per_second,
        dev_metrics=_there(outcome.dev),
        head_parameters=parameters.head if parameters else None,
        seconds_to_best=_seconds_to_best(outcome),
        signature=outcome.signature,
        train_rows=outcome.rows.get("train"),
        class_rows=(min(classes), max(classes)) if (classes := outcome.train_classes.values()) else None,
        wall_seconds=record.useful_device_seconds / devices if devices else None,
        saved_bytes=outcome.saved_bytes,
        energy=energy_of(outcome, outcome.result_work, key[0]),
        latency_ms=None if shared else _latency(outcome),
        examples=_fitting(outcome, examples),
    )


def _latency(outcome: Outcome) -> float | None:
    """Milliseconds of one answer at a time."""
    return next((1000 * s.latency_seconds for s in outcome.serving if s.batch_size == 1), None)


def _fitting(outcome: Outcome, examples: ScoredExamples | None) -> ScoredExamples | None:
    """What tells of another score than the outcome's is of no use."""
    score = outcome.test.get(outcome.metric)
    if examples is None or score is None or score.value is None or examples.metric is not outcome.metric:
        return None
    told = _sum(examples.numerator) / _sum(examples.denominator)
    return examples if math.isclose(told, score.value, abs_tol=_ROUNDED) else None


def _sum(part: array[float]) -> float:
    return float(np.frombuffer(part, dtype=np.float32).sum(dtype=np.float64))


def _there(metrics: Metrics) -> dict[MetricName, float]:
    return {name: found.value for name, found in metrics.items() if found.value is not None}


def _seconds_to_best(outcome: Outcome) -> float | None:
    """Training seconds up to the best evaluation: its share of the steps. No loading, no scoring."""
    trained = [
        part[Phase.TRAIN] for part in (outcome.phases, outcome.inherited_phases) if Phase.TRAIN in part
    ]
    if not trained or outcome.best_step is None or not outcome.steps:
        return None
    return sum(trained) * outcome.best_step / outcome.steps
