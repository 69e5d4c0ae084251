"""From the records of trials to what each cell has to show. One pass; nothing of a record is kept."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from orchestrator.contracts.compared_cost import compared_device_seconds, shared_a_gpu
from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.ledger import AttemptRecord, TrialRecord
from orchestrator.contracts.metrics import MetricName, Metrics, quality
from orchestrator.contracts.outcome import Device, Outcome
from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import FailureKind, Phase, Precision, Signature, Source, TrialState
from orchestrator.tracking.energy import Energy, energy_of
from orchestrator.tracking.mlflow_figures import latency_ms

_ROUNDED = 1e-5  # what a score may be off by, made of numbers that were written down

# Device type, precision, software. How many devices there were changes no device-hour.
Key = tuple[str, Precision | None, tuple[tuple[str, str], ...]]
# What every trial runs on, and how it computes. Software that only some load, say deepspeed,
# does not make another set-up.
_COMPARED = frozenset(
    ("python", "torch", "transformers", "peft", "accelerate", "tokenizers", "tf32", "deterministic")
)
SHARED = "it shared a GPU, whose counter and clock include the other trials"
ExamplesOf = Callable[[AttemptRecord], ScoredExamples | None]  # None: the attempt tells nothing of them


@dataclass(frozen=True)
class Result:
    """A finished trial."""

    key: Key
    seed: int
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


@dataclass
class CellResults:
    """The trials of one cell so far."""

    cell: Cell
    results: list[Result] = field(default_factory=list)
    failures: list[FailedSeed] = field(default_factory=list)
    states: dict[TrialState, int] = field(default_factory=lambda: dict.fromkeys(TrialState, 0))

    @property
    def planned(self) -> int:
        return sum(self.states.values())

    def add(self, record: TrialRecord, examples_of: ExamplesOf, standalone: Mapping[str, Standalone]) -> None:
        self.states[record.state] += 1
        outcome, attempt = record.outcome, record.decisive
        if outcome is None or attempt is None:
            return
        if record.state is TrialState.FAILED and outcome.failure is not None:
            failed_on = None if outcome.device is None else _key(outcome.device, attempt.device_type)
            self.failures.append(FailedSeed(failed_on, record.planned.seed, outcome.failure.kind))
        if record.state is TrialState.FINISHED:
            key = _key(outcome.device, attempt.device_type)
            result = _result(record, outcome, key, examples_of(attempt), attempt, standalone)
            self.results.append(result)


def key_of(record: TrialRecord, outcome: Outcome) -> Key:
    """Of a finished trial."""
    attempt = record.decisive
    return _key(outcome.device, attempt.device_type if attempt is not None else "")


def _key(device: Device | None, billed_type: str) -> Key:
    if device is None:
        return billed_type, None, ()
    compared = ((name, version) for name, version in device.software.items() if name in _COMPARED)
    return device.type, device.precision, tuple(sorted(compared))


def _result(
    record: TrialRecord,
    outcome: Outcome,
    key: Key,
    examples: ScoredExamples | None,
    attempt: AttemptRecord,
    standalone: Mapping[str, Standalone],
) -> Result:
    shared, took = shared_a_gpu(record), compared_device_seconds(record, standalone)
    devices = 1.0 if shared else attempt.devices
    step = standalone[record.planned.cell.name].step_seconds if shared and took is not None else None
    primary = outcome.test.get(outcome.metric)
    parameters = outcome.parameters
    return Result(
        key=key,
        seed=record.planned.seed,
        quality=quality(outcome.metric, outcome.test),
        metrics=_there(outcome.test),
        missing="not scored" if primary is None else primary.missing,
        device_hours=None if took is None else took / 3600,
        billed_hours=record.billed_device_seconds / 3600,
        shared=shared,
        total_parameters=parameters.total if parameters else None,
        trainable_parameters=parameters.trainable if parameters else None,
        peak_memory_bytes=outcome.peak_device_memory_bytes or outcome.peak_host_memory_bytes,
        tokens_per_second=None if shared else outcome.tokens_per_second,
        dev_metrics=_there(outcome.dev),
        head_parameters=parameters.head if parameters else None,
        seconds_to_best=_steps_to_best(outcome, step) if shared else _seconds_to_best(outcome),
        signature=outcome.signature,
        train_rows=outcome.rows.get("train"),
        class_rows=(min(classes), max(classes)) if (classes := outcome.train_classes.values()) else None,
        wall_seconds=took / devices if devices and took is not None else None,
        saved_bytes=outcome.saved_bytes,
        energy=Energy(None, Source.MISSING, SHARED)
        if shared
        else energy_of(outcome, outcome.result_work, key[0]),
        latency_ms=None if shared else latency_ms(outcome),
        examples=_fitting(outcome, examples),
    )


def _fitting(outcome: Outcome, examples: ScoredExamples | None) -> ScoredExamples | None:
    """What tells of another score than the outcome's is of no use."""
    score = outcome.test.get(outcome.metric)
    if examples is None or score is None or score.value is None or examples.metric is not outcome.metric:
        return None
    ratio = _sum(examples.numerator) / _sum(examples.denominator)
    return examples if math.isclose(ratio, score.value, rel_tol=_ROUNDED, abs_tol=_ROUNDED) else None


def _sum(part: array[float]) -> float:
    return float(np.frombuffer(part, dtype=np.float32).sum(dtype=np.float64))


def _there(metrics: Metrics) -> dict[MetricName, float]:
    return {name: score.value for name, score in metrics.items() if score.value is not None}


def _steps_to_best(outcome: Outcome, step_seconds: float | None) -> float | None:
    """Seconds that training alone on a GPU takes up to the best evaluation."""
    if outcome.best_step is None or step_seconds is None:
        return None
    return outcome.best_step * step_seconds


def _seconds_to_best(outcome: Outcome) -> float | None:
    """Training seconds up to the best evaluation: its share of the steps. No loading, no scoring."""
    trained = [
        part[Phase.TRAIN] for part in (outcome.phases, outcome.inherited_phases) if Phase.TRAIN in part
    ]
    if not trained or outcome.best_step is None or not outcome.steps:
        return None
    return sum(trained) * outcome.best_step / outcome.steps
