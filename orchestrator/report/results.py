"""From the records of trials to what each cell has to show. One pass; nothing of a record is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.metrics import MetricName, quality
from orchestrator.contracts.outcome import Device, Outcome
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import Precision, TrialState

Key = tuple[str, Precision | None, tuple[tuple[str, str], ...]]  # device type, precision, software


@dataclass(frozen=True)
class Result:
    """A finished trial."""

    key: Key
    quality: float | None
    metrics: dict[MetricName, float]
    missing: str | None  # why there is no quality
    device_hours: float
    total_parameters: int | None
    trainable_parameters: int | None
    peak_memory_bytes: int | None
    tokens_per_second: float | None


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

    def add(self, record: TrialRecord) -> None:
        self.states[record.state] += 1
        outcome, attempt = record.outcome, record.decisive
        if outcome is None or attempt is None:
            return
        if record.state is TrialState.FAILED and outcome.failure is not None:
            self.failures.append(outcome.failure.kind.value)
        if record.state is TrialState.FINISHED:
            device = outcome.device
            self.results.append(_result(record, outcome, _key(device, attempt.device_type)))


def _key(device: Device | None, billed_type: str) -> Key:
    if device is None:
        return billed_type, None, ()
    return device.type, device.precision, tuple(sorted(device.software.items()))


def _result(record: TrialRecord, outcome: Outcome, key: Key) -> Result:
    primary = outcome.test.get(outcome.metric)
    parameters = outcome.parameters
    return Result(
        key=key,
        quality=quality(outcome.metric, outcome.test),
        metrics={name: found.value for name, found in outcome.test.items() if found.value is not None},
        missing="not scored" if primary is None else primary.missing,
        device_hours=record.useful_device_seconds / 3600,
        total_parameters=parameters.total if parameters else None,
        trainable_parameters=parameters.trainable if parameters else None,
        peak_memory_bytes=outcome.peak_device_memory_bytes or outcome.peak_host_memory_bytes,
        tokens_per_second=outcome.tokens_per_second,
    )
