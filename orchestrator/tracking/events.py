"""Reading `events.jsonl`, also one whose writer was killed in the middle of a line."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from orchestrator.contracts import layout
from orchestrator.contracts.ledger import AttemptRecord
from orchestrator.contracts.outcome import (
    CheckpointEvent,
    EvaluationEvent,
    Event,
    PhaseEvent,
    StepEvent,
    read_event,
)
from orchestrator.contracts.vocabulary import Phase
from orchestrator.errors import LedgerError

_STEP = b'{"event":"step"'  # how the line of a step begins: most lines of a long training
_CHECKPOINT = b'{"event":"checkpoint"'
_PHASE = b'{"event":"phase"'


def read_events(path: Path, *, steps: bool = True) -> list[Event]:
    """All events, in order; none where the file is absent. A cut last line is left out. Without `steps` those
    of training steps are passed over unread.

    Raises LedgerError where another line cannot be read: then the file is not ours, or of another version.
    """
    lines = _lines(path)
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
        if not steps and line.startswith(_STEP):
            continue
        try:
            events.append(read_event(line))
        except ValidationError:
            if number == len(lines):
                break
            raise LedgerError(
                f"{path}, line {number}: not an event of this version\n"
                "    -> move the attempt's directory out of the sweep; the trial then runs again"
            ) from None
    return events


def readable_events(path: Path) -> list[Event]:
    """Return the readable events in order, without training steps."""
    events = []
    for line in _lines(path):
        try:
            if not line.startswith(_STEP):
                events.append(read_event(line))
        except ValidationError:
            continue
    return events


def done_share(path: Path) -> float:
    """Return how much of the planned steps the last checkpoint holds, 0 to 1; 0 without a checkpoint, and
    under a budget of seconds."""
    lines = _lines(path)
    kept = _last(lines, _CHECKPOINT)
    step = None if kept is None else _last(lines, _STEP)
    if not isinstance(kept, CheckpointEvent) or not isinstance(step, StepEvent) or not step.planned_steps:
        return 0.0
    return min(1.0, kept.step / step.planned_steps)


def _last(lines: Sequence[bytes], begins: bytes) -> Event | None:
    """Return the last readable event whose line begins like this."""
    for line in reversed(lines):
        if line.startswith(begins):
            with suppress(ValidationError):
                return read_event(line)
    return None


def doing(sweep: Path, trial: str) -> str | None:
    """Return the current phase of a trial's newest attempt, say `train, step 40 of 200`; None if it has
    reported nothing yet."""
    lines: list[bytes] = []
    with suppress(OSError):  # what is only shown ends no sweep
        attempts = layout.attempts(layout.trial_directory(sweep, trial))
        lines = _lines(attempts[-1][1] / layout.EVENTS) if attempts else []
    phase = _last(lines, _PHASE)
    if not isinstance(phase, PhaseEvent):
        return None
    step = _last(lines, _STEP)
    if phase.phase is not Phase.TRAIN or not isinstance(step, StepEvent):
        return phase.phase.value
    of = f" of {step.planned_steps}" if step.planned_steps else ""
    return f"{phase.phase.value}, step {step.step}{of}"


def last_sign_of_life(path: Path) -> float | None:
    """Return the Unix time of the last readable event; None where there is none."""
    return next((t for t in map(_time, reversed(_lines(path))) if t is not None), None)


def curves(
    attempts: Sequence[AttemptRecord], *, steps: bool = True
) -> tuple[list[StepEvent], list[EvaluationEvent]]:
    """Steps and evaluations on the path that led to the last of these attempts, in order. Without `steps` the
    evaluations alone, which spares the reader of thousands of files most of the work.

    `attempts` are those under one fingerprint, oldest first. What an attempt did after the checkpoint that
    the next one resumed from was done again, so it is left out.
    """
    taken: list[StepEvent] = []
    evaluations: list[EvaluationEvent] = []
    for attempt in attempts:
        events = read_events(Path(attempt.directory) / layout.EVENTS, steps=steps)
        resumed = next((e.resumed_from_step for e in events if e.event == "start"), None) or 0
        taken = [e for e in taken if e.step <= resumed] + [e for e in events if isinstance(e, StepEvent)]
        evaluations = [e for e in evaluations if e.step <= resumed]
        evaluations += [e for e in events if isinstance(e, EvaluationEvent)]
    return taken, evaluations


def _lines(path: Path) -> list[bytes]:
    try:
        return [line for line in path.read_bytes().split(b"\n") if line.strip()]
    except FileNotFoundError:
        return []


def _time(line: bytes) -> float | None:
    try:
        return read_event(line).at
    except ValidationError:
        return None
