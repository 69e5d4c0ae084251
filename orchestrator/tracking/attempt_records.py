"""The attempts of a trial as they are on disk: order, outcome, bill and events, read into one record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator.contracts import layout
from orchestrator.contracts.fold import Fold
from orchestrator.contracts.kept_weights import KeepWeights
from orchestrator.contracts.ledger import AttemptRecord
from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import Cell
from orchestrator.errors import LedgerError
from orchestrator.tracking.events import done_share, last_sign_of_life, readable_events
from orchestrator.tracking.phase_times import timeline_of
from orchestrator.tracking.trial_costs import allocated_devices, billed_seconds

M = TypeVar("M", bound=BaseModel)
FOREIGN = "    -> it was written by another version or damaged: move its directory out of the sweep"
_DAMAGED_SWEEP = (
    "    -> it was written by another version or damaged: remove it, then start the sweep with "
    "`frontier run CONFIG`, which writes it and keeps the trials"
)
_LEVELS = 5  # model / domain / method / task / seed (and fold) or candidate


class TrialHead(BaseModel):
    model_config = ConfigDict(extra="ignore")
    cell: Cell
    seed: int
    fingerprint: str
    candidate: int | None = None
    fold: Fold | None = None


class _OrderHead(BaseModel):
    """The part of order.json that accounting needs: reading all of it for 10,000 trials costs seconds."""

    model_config = ConfigDict(extra="ignore")
    trial: TrialHead
    attempt: int
    resume_from: str | None = None
    resources: Resources
    keep_weights: KeepWeights = "adapters"
    ordered_at: float


class AttemptReader:
    """Reads on demand; attempts that ended and were billed never change and are kept in memory."""

    def __init__(self) -> None:
        self._sealed: dict[Path, tuple[TrialHead, AttemptRecord]] = {}

    def read(self, trial: Path) -> list[tuple[TrialHead, AttemptRecord]]:
        """Return the attempts of a trial. A directory without an order holds an attempt that never began, and
        is left out."""
        attempts = (self._attempt(path) for _, path in layout.attempts(trial))
        return [attempt for attempt in attempts if attempt is not None]

    def _attempt(self, path: Path) -> tuple[TrialHead, AttemptRecord] | None:
        if path in self._sealed:
            return self._sealed[path]
        order = read_attempt_record(path / layout.ORDER, _OrderHead)
        if order is None:
            return None
        outcome, bill = (
            read_attempt_record(path / layout.OUTCOME, Outcome),
            read_attempt_record(path / layout.BILL, Bill),
        )
        device_type, devices = allocated_devices(order.resources, outcome, bill)
        heartbeat = last_sign_of_life(path / layout.EVENTS) if bill is None else None
        billed, source = billed_seconds(devices, order.ordered_at, outcome, bill, heartbeat)
        measured = outcome is not None and outcome.phases
        finished = outcome is not None and outcome.state == "finished"
        events = [] if measured else readable_events(path / layout.EVENTS)
        time = timeline_of(order.ordered_at, outcome, bill, events)
        record = AttemptRecord(
            attempt=order.attempt,
            fingerprint=order.trial.fingerprint,
            directory=str(path),
            ordered_at=order.ordered_at,
            resources=order.resources,
            keep_weights=order.keep_weights,
            resumed=order.resume_from is not None,
            resumed_from=_resumed_from(order.resume_from),
            outcome=outcome,
            bill=bill,
            device_type=device_type,
            devices=devices,
            billed_device_seconds=billed,
            source=source,
            phases=time.phases,
            inherited_phases=time.inherited,
            phases_source=time.source,
            done_share=0.0 if finished else done_share(path / layout.EVENTS),
        )
        if outcome is not None and bill is not None:
            self._sealed[path] = order.trial, record
        return order.trial, record


def trials_on_disk(sweep_directory: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and directory of each trial and candidate, in the order of names."""
    yield from _descend(sweep_directory / layout.TRIALS, "", _LEVELS)


def read_attempt_record(path: Path, model: type[M]) -> M | None:
    """Read a record, None if the file is missing. Raises LedgerError if this version did not write it."""
    try:
        return model.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        what = f"the record of a {'sweep' if path.name == layout.SWEEP else 'trial'}"
        raise LedgerError(
            f"{path}: cannot be read as {what}: {key or 'the file'}: {first['type']}"
            f" ({error.error_count()} faults)\n{_DAMAGED_SWEEP if path.name == layout.SWEEP else FOREIGN}"
        ) from None


def _descend(directory: Path, name: str, levels: int) -> Iterator[tuple[str, Path]]:
    if levels == 0:
        yield name, directory
        return
    try:
        children = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    except FileNotFoundError:
        return
    for child in children:
        yield from _descend(directory / child, f"{name}/{child}" if name else child, levels - 1)


def _resumed_from(checkpoint: str | None) -> int | None:
    """Return the number of the attempt that wrote the checkpoint `…/attempt-001/checkpoint/step-40`."""
    names = () if checkpoint is None else Path(checkpoint).parts
    numbers = [name.removeprefix("attempt-") for name in names if name.startswith("attempt-")]
    return int(numbers[-1]) if numbers and numbers[-1].isdigit() else None
