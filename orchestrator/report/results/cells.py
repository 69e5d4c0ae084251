"""From the records of trials to what each cell has to show. One pass; nothing of a record is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.contracts.compared_cost import compared_device_seconds, shared_a_gpu
from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.ledger import AttemptRecord, TrialRecord
from orchestrator.contracts.metrics import MetricName, Metrics, quality
from orchestrator.contracts.outcome import Device, Outcome
from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import Phase, Source, Split, TrialState
from orchestrator.report.results.folds import SeedFolds, SeedOutcome
from orchestrator.report.results.pooled_metrics import scored_answers
from orchestrator.report.results.result import FailedSeed, Key, Result, sum_of_part
from orchestrator.tracking.energy import Energy, energy_of
from orchestrator.tracking.mlflow_figures import latency_ms

_ROUNDED = 1e-5  # what a score may be off by, made of numbers that were written down

# What every trial runs on, and how it computes. Software that only some load, say deepspeed,
# does not make another set-up.
_COMPARED = frozenset(
    ("python", "torch", "transformers", "peft", "accelerate", "tokenizers", "tf32", "deterministic")
)
SHARED = "it shared a GPU, whose counter and clock include the other trials"
ExamplesOf = Callable[[AttemptRecord], ScoredExamples | None]  # None: the attempt tells nothing of them


@dataclass
class CellResults:
    """The seeds of one cell so far: of each one trial, or several folds that are pooled."""

    cell: Cell
    task: TaskSpec
    results: list[Result] = field(default_factory=list)
    failures: list[FailedSeed] = field(default_factory=list)
    states: dict[TrialState, int] = field(default_factory=lambda: dict.fromkeys(TrialState, 0))
    folds: dict[int, SeedFolds] = field(default_factory=dict)  # by seed; empty where the task has none

    @property
    def planned(self) -> int:
        """Return the number of seeds."""
        return sum(self.states.values())

    @property
    def trainings(self) -> int | None:
        """Return how many trainings a seed has; None where it is one."""
        return next((folds.of for folds in self.folds.values()), None)

    def add(self, record: TrialRecord, examples_of: ExamplesOf, standalone: Mapping[str, Standalone]) -> None:
        failure = _failure(record)
        outcome, attempt = record.outcome, record.decisive
        result = None
        if record.state is TrialState.FINISHED and outcome is not None and attempt is not None:
            key = _key(outcome.device, attempt.device_type)
            result = _result(record, outcome, key, examples_of(attempt), attempt, standalone)
            result = replace(result, scored_answers=scored_answers(self.task, outcome.test_classes))
        fold, seed = record.planned.fold, record.planned.seed
        if fold is None:
            self._add(SeedOutcome(record.state, result, failure))
            return
        if seed in self.folds:
            self._remove(seed)
        folds = self.folds.setdefault(seed, SeedFolds(fold.of))
        folds.states.append(record.state)
        folds.results += [] if result is None else [result]
        folds.failures += [] if failure is None else [failure]
        self._add(folds.outcome())

    def _add(self, outcome: SeedOutcome) -> None:
        self.states[outcome.state] += 1
        self.results += [] if outcome.result is None else [outcome.result]
        self.failures += [] if outcome.failure is None else [outcome.failure]

    def _remove(self, seed: int) -> None:
        """Remove what the seed was before one more of its folds is added."""
        self.states[self.folds[seed].outcome().state] -= 1
        self.results = [result for result in self.results if result.seed != seed]
        self.failures = [failure for failure in self.failures if failure.seed != seed]


def _failure(record: TrialRecord) -> FailedSeed | None:
    outcome, attempt = record.outcome, record.decisive
    if record.state is not TrialState.FAILED or outcome is None or attempt is None or outcome.failure is None:
        return None
    failed_on = None if outcome.device is None else _key(outcome.device, attempt.device_type)
    return FailedSeed(failed_on, record.planned.seed, outcome.failure.kind, outcome.rows.get(Split.TEST))


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
        metric=outcome.metric,
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
        test_rows=outcome.rows.get(Split.TEST),
        class_answers=outcome.test_classes,
    )


def _fitting(outcome: Outcome, examples: ScoredExamples | None) -> ScoredExamples | None:
    """What tells of another score than the outcome's is of no use."""
    score = outcome.test.get(outcome.metric)
    if examples is None or score is None or score.value is None or examples.metric is not outcome.metric:
        return None
    ratio = sum_of_part(examples.numerator) / sum_of_part(examples.denominator)
    return examples if math.isclose(ratio, score.value, rel_tol=_ROUNDED, abs_tol=_ROUNDED) else None


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
