"""The book-keeping around one attempt: its directory, its order, its bill, and an outcome where it left none.

An attempt that was interrupted, or whose driver was killed, has no outcome: the trial is unfinished. One
whose end somebody saw always has an outcome and a bill.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
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
from orchestrator.contracts.trial import AttemptOrder, TrialSpec
from orchestrator.contracts.vocabulary import FailureKind, Phase
from orchestrator.execution.exit_reasons import Ending, explain
from orchestrator.execution.launcher import TrialOrder, Workplace


def attempts_so_far(place: Workplace, trial: str) -> int:
    """The highest number of an attempt at the trial, under any fingerprint; 0 before the first."""
    found = layout.attempts(layout.trial_directory(place.sweep_directory, trial))
    return found[-1][0] if found else 0


def _granted(trial: str, directory: Path, order: bytes) -> bool:
    return True


def open_attempt(
    place: Workplace,
    trial: TrialOrder,
    now: float,
    claim: Callable[[str, Path, bytes], bool] = _granted,
) -> AttemptOrder:
    """Claim the next attempt number, choose the checkpoint to resume from, write order.json.

    After attempts under the fingerprint whose forward passes ran out of memory, smaller ones are ordered of
    what did, training or scoring; the optimiser step stays what it is. `claim` is asked, with trial,
    directory and order, whether the number is free beyond this machine. Raises OSError where the directory
    cannot be written.
    """
    while True:
        order = _next_order(place, trial, now)
        directory, content = Path(order.directory), order.model_dump_json(indent=1) + "\n"
        if claim(trial.name, directory, content.encode()):
            write_atomically(directory / layout.ORDER, content)
            return order


def _next_order(place: Workplace, trial: TrialOrder, now: float) -> AttemptOrder:
    number, directory = _claim(place, trial.name)
    return AttemptOrder(
        trial=trial.spec,
        attempt=number,
        directory=str(directory),
        resume_from=newest_checkpoint(directory.parent, trial.spec.fingerprint),
        data_dir=None if place.data_dir is None else str(place.data_dir),
        cache_dir=str(place.cache_dir),
        weights=dict(place.weights.get(trial.spec.backbone.name, {})),
        resources=trial.resources,
        checkpoint_seconds=place.checkpoint_seconds,
        keep_weights=place.keep_weights,
        deterministic=place.deterministic,
        **_smaller_passes(directory.parent, trial.spec),
        ordered_at=now,
    )


def _claim(place: Workplace, trial: str) -> tuple[int, Path]:
    number = attempts_so_far(place, trial)
    while True:
        number += 1
        directory = layout.attempt_directory(place.sweep_directory, trial, number)
        directory.parent.mkdir(parents=True, exist_ok=True)
        try:
            directory.mkdir()
        except FileExistsError:
            continue
        return number, directory


def newest_checkpoint(trial: Path, fingerprint: str) -> str | None:
    """Return the complete checkpoint with the most steps of the trial's attempts under the fingerprint."""
    best: tuple[int, int, Path] | None = None
    for number, directory in layout.attempts(trial):
        steps = [
            (step, number, path)
            for step, path in layout.checkpoints(directory / layout.CHECKPOINTS)
            if path.is_dir()
        ]
        if steps and _fingerprint(directory) == fingerprint:
            best = max([*steps, best] if best else steps)
    return None if best is None else str(best[2])


def _smaller_passes(directory: Path, trial: TrialSpec) -> dict[str, int | None]:
    """The fields of the next order that shrink what ran out of memory, training or scoring, in the trial's
    attempts so far; down to 1. `directory` is the trial's."""
    outcomes = (read_outcome(path) for _, path in layout.attempts(directory))
    tried = [o.too_large for o in outcomes if o is not None and o.fingerprint == trial.fingerprint]
    training, scored = (
        [found[1] for found in tried if found is not None and found[0] is scoring and found[1]]
        for scoring in (False, True)
    )
    return {
        "micro_batch_size": trial.recipe.smaller_pass(min(training)) if training else None,
        "evaluation_batch_size": max(1, min(scored) // 2) if scored else None,
    }


def _fingerprint(directory: Path) -> str | None:
    try:
        found = json.loads((directory / layout.ORDER).read_bytes())["trial"]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(found)


def close_attempt(
    order: AttemptOrder,
    ending: Ending,
    now: float,
    gpu: str | None = None,
    asked_at: float | None = None,
) -> tuple[Outcome, Bill]:
    """Write bill.json, and outcome.json on behalf of a child that left none. Returns both.

    The first one to close an attempt wins: a machine that was cut off and comes back changes nothing.
    `gpu` is the product name of the allocated GPU, for the bill of a child that did not tell; `asked_at` is
    when the child was asked for, None where nobody knows.
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
    told = outcome.device.type if outcome is not None and outcome.device is not None else None
    assumed = (gpu or UNKNOWN_GPU) if order.resources.gpus else CPU
    bill = Bill(
        allocated_at=order.ordered_at,
        asked_at=asked_at,
        released_at=max(now, order.ordered_at),
        devices=order.resources.devices,
        device_type=told or assumed,
    )
    if write_once(Path(order.directory) / layout.BILL, bill.model_dump_json(indent=1) + "\n"):
        return bill
    return read_bill(Path(order.directory)) or bill


def _outcome_on_behalf(order: AttemptOrder, ending: Ending, now: float) -> Outcome:
    kind, message = explain(ending)
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
    """What the first of the ranks says that lost another one, where no rank had a reason of its own."""
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
    """Those that can be read: a killed child may have cut the last line."""
    found = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            found.append(read_event(line))
        except ValidationError:
            continue
    return found


def read_outcome(directory: Path) -> Outcome | None:
    """None where there is none, or what is there cannot be one."""
    try:
        return Outcome.model_validate_json((directory / layout.OUTCOME).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def read_bill(directory: Path) -> Bill | None:
    """None where there is none."""
    try:
        return Bill.model_validate_json((directory / layout.BILL).read_bytes())
    except FileNotFoundError:
        return None


def outcomes_since(place: Workplace, trial: str, before: int) -> list[Outcome]:
    """The outcomes of the attempts numbered above `before`, oldest first."""
    found = layout.attempts(layout.trial_directory(place.sweep_directory, trial))
    outcomes = (read_outcome(path) for number, path in found if number > before)
    return [outcome for outcome in outcomes if outcome is not None]


def open_orders(place: Workplace, trial: str, before: int) -> list[AttemptOrder]:
    """The orders numbered above `before` that have no bill yet: still running, or lost with their host. Their
    directories are those on this machine."""
    found = layout.attempts(layout.trial_directory(place.sweep_directory, trial))
    return [
        AttemptOrder.model_validate_json((path / layout.ORDER).read_bytes()).model_copy(
            update={"directory": str(path)}
        )
        for number, path in found
        if number > before and (path / layout.ORDER).exists() and not (path / layout.BILL).exists()
    ]
