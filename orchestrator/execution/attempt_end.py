"""Close an attempt: write its bill, and an outcome for a process that left none."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import ValidationError

from orchestrator.contracts import layout
from orchestrator.contracts.exit_codes import LOST_A_PEER
from orchestrator.contracts.files import write_atomically, write_once
from orchestrator.contracts.ledger import CPU, UNKNOWN_GPU
from orchestrator.contracts.outcome import (
    Bill,
    Event,
    Failure,
    Outcome,
    PhaseEvent,
    StartEvent,
    StepEvent,
    read_event,
)
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from orchestrator.execution.attempt_records import read_bill, read_outcome
from orchestrator.execution.exit_reasons import Ending, failure_of


def close_attempt(
    order: AttemptOrder,
    ending: Ending,
    now: float,
    gpu: str | None = None,
    asked_at: float | None = None,
) -> tuple[Outcome, Bill]:
    """Write bill.json, and outcome.json on behalf of a child that left none. Returns both.

    The first one to close an attempt wins: a machine that was cut off and comes back changes nothing. `gpu`
    is the product name of the allocated GPU, for the bill of a child that did not record it; `asked_at` is
    when the child was requested, None if unknown.
    """
    path = Path(order.directory) / layout.OUTCOME
    outcome = read_outcome(path.parent)
    if outcome is None:
        outcome = _outcome_on_behalf(order, ending, now)
        content = outcome.model_dump_json(indent=1) + "\n"
        if not write_once(path, content):
            written = read_outcome(path.parent)
            if written is None:  # what the child left there is not an outcome
                write_atomically(path, content)
            outcome = written or outcome
    if outcome.state == "finished":
        _drop_output(path.parent)
    return outcome, _write_bill(order, outcome, now, gpu, asked_at)


def abandon_attempt(
    order: AttemptOrder, now: float, gpu: str | None = None, asked_at: float | None = None
) -> Bill:
    """Write the bill of an interrupted attempt, and nothing else: the trial stays unfinished."""
    _drop_output(Path(order.directory))
    return _write_bill(order, None, now, gpu, asked_at)


def _drop_output(directory: Path) -> None:
    """Remove what libraries printed on any node of the attempt: it may quote text, and only a failure needs
    it."""
    shutil.rmtree(directory / layout.SENSITIVE, ignore_errors=True)


def _write_bill(
    order: AttemptOrder, outcome: Outcome | None, now: float, gpu: str | None, asked_at: float | None
) -> Bill:
    device_type = outcome.device.type if outcome is not None and outcome.device is not None else None
    assumed = (gpu or UNKNOWN_GPU) if order.resources.gpus else CPU
    bill = Bill(
        allocated_at=order.ordered_at,
        asked_at=asked_at,
        released_at=max(now, order.ordered_at),
        devices=order.resources.devices,
        device_type=device_type or assumed,
    )
    if write_once(Path(order.directory) / layout.BILL, bill.model_dump_json(indent=1) + "\n"):
        return bill
    return read_bill(Path(order.directory)) or bill


def _outcome_on_behalf(order: AttemptOrder, ending: Ending, now: float) -> Outcome:
    kind, message = failure_of(ending)
    if (Path(order.directory) / layout.OUTCOME).exists():
        kind, message = FailureKind.BUG, "the attempt left an outcome.json that is not one"
    phase, steps, resumed = Phase.START, 0, None
    for event in _events(Path(order.directory) / layout.EVENTS):
        if isinstance(event, PhaseEvent):
            phase = event.phase
        elif isinstance(event, StepEvent):
            steps = event.step
        elif isinstance(event, StartEvent):
            steps, resumed = event.resumed_from_step or 0, event.resumed_from_step
    if kind is FailureKind.OUT_OF_MEMORY:
        message += f" {order.passes_tried(phase)}"
    failure = Failure(kind=kind, phase=phase, message=message)
    if ending.code == LOST_A_PEER:
        failure = _lost_each_other(order) or failure
    return Outcome(
        trial=order.trial.name,
        fingerprint=order.trial.fingerprint,
        attempt=order.attempt,
        state="failed",
        failure=failure,
        metric=order.trial.task.metric,
        steps=steps,
        started_at=order.ordered_at,
        ended_at=max(now, order.ordered_at),
        resumed_from_step=resumed,
        micro_batch_size=order.pass_size,
        evaluation_batch_size=order.evaluation_size,
    )


def _lost_each_other(order: AttemptOrder) -> Failure | None:
    """Return the failure of the first rank that lost another one, None if no rank left one."""
    for file in layout.lost_peers(Path(order.directory)):
        try:
            failure = Failure.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            continue
        if failure.phase is Phase.START:  # they never met: its words say it all
            return failure
        kind = FailureKind.DEVICE if order.resources.gpus else failure.kind
        message = f"the processes of the trial lost each other ({failure.message})"
        return failure.model_copy(update={"kind": kind, "message": message})
    return None


def _events(path: Path) -> list[Event]:
    """Return the readable events: a killed process may have truncated the last line."""
    events = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            events.append(read_event(line))
        except ValidationError:
            continue
    return events
