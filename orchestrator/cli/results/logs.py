"""The events of a trial's attempts: `frontier logs`. They hold numbers and closed vocabularies, no text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rich.console import Console

from orchestrator.cli.results.named_cells import below_trials, cells_named
from orchestrator.cli.terminal import styled
from orchestrator.contracts import layout
from orchestrator.contracts.ledger import AttemptRecord, TrialRecord
from orchestrator.contracts.outcome import (
    CheckpointEvent,
    EvaluationEvent,
    Event,
    PhaseEvent,
    StartEvent,
    StepEvent,
)
from orchestrator.errors import ConfigError, Problem, did_you_mean
from orchestrator.tracking.events import read_events
from orchestrator.tracking.ledger import Ledger
from orchestrator.units import duration


def trials_of(ledger: Ledger, cell: str) -> list[TrialRecord]:
    """Return the trials of a cell, or the one trial, that `cell` names: `tiny/clinical/full/ner`, without the
    task on all tasks, one of its trials, or the path of either. Raises ConfigError where there is none."""
    sweep = ledger.sweep()
    planned = [*sweep.trials, *sweep.candidates]
    name = below_trials(cell)
    cells = cells_named(cell, (trial.cell for trial in planned))
    named = [trial for trial in planned if trial.cell in cells or trial.name == name]
    if not named:
        fix = did_you_mean(name, sorted({trial.cell.name for trial in planned}))
        raise ConfigError([Problem(sweep.name, "CELL", f"there is no cell or trial {cell!r}", fix)])
    return [ledger.trial(trial) for trial in named]


def logs_json(records: list[TrialRecord]) -> list[dict[str, object]]:
    """Stable keys: trial, state, attempts [{attempt, directory, ordered_at, current, outcome, failure,
    events}]."""
    return [
        {
            "trial": record.name,
            "state": record.state.value,
            "attempts": [
                {
                    "attempt": attempt.attempt,
                    "directory": attempt.directory,
                    "ordered_at": attempt.ordered_at,
                    "current": attempt.fingerprint == record.planned.fingerprint,
                    "outcome": None if attempt.outcome is None else attempt.outcome.state,
                    "failure": None
                    if attempt.outcome is None or attempt.outcome.failure is None
                    else attempt.outcome.failure.model_dump(mode="json"),
                    "events": [event.model_dump(mode="json") for event in _events(attempt)],
                }
                for attempt in record.attempts
            ],
        }
        for record in records
    ]


def show_logs(records: list[TrialRecord], every_step: bool, console: Console) -> None:
    """Print the events of each attempt with the seconds since its order. `every_step`: all that were logged
    on training steps, not only the last before another event."""
    for record in records:
        console.print(styled(record.name, "bold"), f"{record.state.value}", highlight=False)
        if not record.attempts:
            console.print("  no attempt yet")
        for attempt in record.attempts:
            _show_attempt(attempt, record, every_step, console)


def _show_attempt(attempt: AttemptRecord, record: TrialRecord, every_step: bool, console: Console) -> None:
    def say(*pieces: object) -> None:
        console.print(*pieces, highlight=False, soft_wrap=True)

    ordered = datetime.fromtimestamp(attempt.ordered_at).isoformat(" ", "seconds")
    old = "" if attempt.fingerprint == record.planned.fingerprint else ", under an older recipe"
    say(f"  attempt {attempt.attempt}, ordered {ordered}{old}")
    events = _events(attempt)
    for number, event in enumerate(events):
        following = events[number + 1] if number + 1 < len(events) else None
        if isinstance(event, StepEvent) and isinstance(following, StepEvent) and not every_step:
            continue
        for line in _lines(event):
            say(f"  {event.at - attempt.ordered_at:9.1f} s  {line}")
    outcome = attempt.outcome
    if outcome is None:
        say(f"  {'':9}    no end is recorded")
    elif outcome.failure is not None:
        after, failure = outcome.ended_at - attempt.ordered_at, outcome.failure
        say(f"  {after:9.1f} s ", styled(failure.kind.value, "red"), f"in {failure.phase}: {failure.message}")
        for line in outcome.failure.places:
            say(f"  {'':9}    at {line}")
    else:
        took = duration(outcome.ended_at - outcome.started_at)
        say(f"  {outcome.ended_at - attempt.ordered_at:9.1f} s  finished: {outcome.steps:,} steps in {took}")
    sensitive = Path(attempt.directory) / layout.SENSITIVE
    if sensitive.is_dir():
        say(styled(f"  what libraries printed may quote the data, and is in {sensitive}", "dim"))


def _events(attempt: AttemptRecord) -> list[Event]:
    return read_events(Path(attempt.directory) / layout.EVENTS)


def _lines(event: Event) -> Iterator[str]:
    match event:
        case StartEvent():
            resumed = event.resumed_from_step
            yield "start" if resumed is None else f"start, resumed from step {resumed:,}"
        case PhaseEvent():
            yield f"{event.phase.value}"
        case StepEvent():
            of = "" if event.planned_steps is None else f" of {event.planned_steps:,}"
            yield f"  step {event.step:,}{of}: loss {event.loss:.4g}, learning rate {event.learning_rate:.3g}"
        case EvaluationEvent():
            scores = ", ".join(
                f"{name.value} {score.value:.3f}" if score.value is not None else f"{name.value} missing"
                for name, score in event.metrics.items()
            )
            best = ", the best so far" if event.best else ""
            collapsed = ", one class for everything" if event.collapsed else ""
            yield f"  dev at step {event.step:,}: {scores}{best}{collapsed}"
        case CheckpointEvent():
            yield f"  checkpoint of step {event.step:,}"
