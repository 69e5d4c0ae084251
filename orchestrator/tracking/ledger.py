"""The ledger: the records of a sweep as they are on disk; all that report, status and sync ever read."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator.contracts import layout
from orchestrator.contracts.cluster_time import Held
from orchestrator.contracts.copy_mark import copy_in
from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.ledger import AttemptRecord, TrialRecord
from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import PlannedTrial, SweepRecord
from orchestrator.contracts.trial import AttemptOrder, Cell, TrialSpec
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import LaunchError, LedgerError, StorageError
from orchestrator.storage.lease import Lease, hold
from orchestrator.storage.mirror import Mirror
from orchestrator.storage.store import DirectoryStore
from orchestrator.tracking.events import done_share, readable, signs_of_life
from orchestrator.tracking.observations import newest_of, trial_history
from orchestrator.tracking.phase_times import timeline_of
from orchestrator.tracking.trial_costs import billed_seconds, device_of, spending_of, state_of

M = TypeVar("M", bound=BaseModel)
_FOREIGN = "    -> it was written by another version or damaged: move its directory out of the sweep"
_DAMAGED_SWEEP = (
    "    -> it was written by another version or damaged: remove it, then start the sweep with "
    "`frontier run CONFIG`, which writes it and keeps the trials"
)
_LEVELS = 5  # model / domain / method / task / seed or candidate


class _TrialHead(BaseModel):
    model_config = ConfigDict(extra="ignore")
    cell: Cell
    seed: int
    fingerprint: str
    candidate: int | None = None


class _SweepHead(BaseModel):
    model_config = ConfigDict(extra="ignore")
    sweep_id: str | None = None


class _OrderHead(BaseModel):
    """The part of order.json that accounting needs: reading all of it for 10,000 trials costs seconds."""

    model_config = ConfigDict(extra="ignore")
    trial: _TrialHead
    attempt: int
    resume_from: str | None = None
    resources: Resources
    ordered_at: float


class Ledger:
    """Reads on demand; attempts that ended and were billed never change and are kept in memory.

    With a mirror the directory is a copy of a sweep in an object store, as far as it has been pulled.
    """

    def __init__(self, sweep_directory: Path, mirror: Mirror | None = None) -> None:
        self.directory, self.mirror = sweep_directory, mirror
        self._lease: Lease | None = None
        self._sealed: dict[Path, tuple[_TrialHead, AttemptRecord]] = {}

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held by the one driver. Raises HeldError, naming the process, where another one holds it, also
        where another one takes it over; then the main thread is interrupted first. Raises LaunchError where
        the records are a copy."""
        self.refuse_copy()
        lease = self._new_lease()
        with hold(lease, _interrupt_main_thread):
            self._lease = lease
            try:
                with self._delivered():
                    yield
            finally:
                self._lease = None

    def refuse_copy(self) -> None:
        """Raise LaunchError where the records are a copy."""
        if (copy := copy_in(self.directory)) is not None:
            raise LaunchError(
                f"{self.directory} is {copy}: nothing runs on a copy\n"
                "    -> run the sweep with another `name` or --storage, or move the copy away"
            )

    @contextmanager
    def _delivered(self) -> Iterator[None]:
        """Pull what the mirror lacks first, and always push what the store lacks."""
        if self.mirror is None:
            yield
            return
        self.mirror.pull()
        self.mirror.push_leftovers()
        try:
            yield
        except BaseException:
            with suppress(StorageError):
                self.mirror.push_leftovers()
            raise
        self.mirror.push_leftovers()
        self.mirror.pull()

    def driver(self) -> str | None:
        """Return the process that runs the sweep, None if there is none. One on another machine counts as
        running for a minute after its last heartbeat."""
        return self._new_lease().driver()

    def driver_here(self) -> int | None:
        """Return the process id of the driver if it runs on this machine, None if it does not."""
        return self._new_lease().driver_here()

    def _new_lease(self) -> Lease:
        store = DirectoryStore(self.directory.parent) if self.mirror is None else self.mirror.store
        return Lease(store, self.directory.name)

    def write_sweep(self, record: SweepRecord) -> SweepRecord:
        """Write the sweep's record and return it, with the id of the record that is there, or else a new one.
        Raises HeldError if another driver has taken the sweep over, LedgerError if the record that is there
        is unreadable."""
        before = _read(self.directory / layout.SWEEP, _SweepHead)
        sweep_id = None if before is None else before.sweep_id
        record = record.model_copy(update={"sweep_id": sweep_id or uuid4().hex})
        self._write(layout.SWEEP, record)
        return record

    def sweep(self) -> SweepRecord:
        """Return the sweep's record. Raises LedgerError if it is missing or unreadable."""
        record = self.last_sweep()
        if record is None:
            raise LedgerError(
                f"{self.directory}: no sweep has run here ({layout.SWEEP} is missing)\n"
                "    -> start it with `frontier run CONFIG`, or name the directory of one that has run"
            )
        return record

    def last_sweep(self) -> SweepRecord | None:
        """Return the last driver's record, None before the first. Raises LedgerError if it is unreadable."""
        return _read(self.directory / layout.SWEEP, SweepRecord)

    def write_held(self, held: Held) -> None:
        """Write what GPUs were held. Raises HeldError if another driver has taken the sweep over."""
        self._write(layout.HELD, held)

    def _write(self, name: str, record: BaseModel) -> None:
        if self._lease is not None:
            self._lease.check()
        write_atomically(self.directory / name, record.model_dump_json(indent=1) + "\n")
        if self._lease is not None and self.mirror is not None:
            self.mirror.push_record(name)

    def held(self) -> Held:
        """Return what GPUs of a cluster were held, empty if none was. Raises LedgerError if it is
        unreadable."""
        return _read(self.directory / layout.HELD, Held) or Held()

    def trials(self) -> Iterator[TrialRecord]:
        """A record for each planned trial, in the order of the plan."""
        for planned in self.sweep().trials:
            yield self.trial(planned)

    def candidates(self) -> Iterator[TrialRecord]:
        """A record for each candidate of the searches that the driver knew of when it last wrote."""
        for planned in self.sweep().candidates:
            yield self.trial(planned)

    def trial(self, planned: PlannedTrial) -> TrialRecord:
        """Return the records of one planned trial or candidate."""
        attempts = tuple(a for _, a in self._attempts(layout.trial_directory(self.directory, planned.name)))
        return TrialRecord(
            planned=planned,
            state=state_of(attempts, planned.fingerprint),
            attempts=attempts,
            spending=spending_of(attempts, planned.fingerprint, candidate=planned.candidate is not None),
        )

    def examples(self, attempt: AttemptRecord) -> ScoredExamples | None:
        """Return the attempt's scores per document of the test split, None if it left none."""
        path = Path(attempt.directory) / layout.EXAMPLES
        try:
            return ScoredExamples.from_bytes(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            raise LedgerError(f"{path}: cannot be read as {ScoredExamples.__name__}\n{_FOREIGN}") from None

    def spec(self, attempt: AttemptRecord) -> TrialSpec | None:
        """Return what the attempt was ordered to train, None if its order is gone. Raises LedgerError if it
        is unreadable."""
        order = _read(Path(attempt.directory) / layout.ORDER, AttemptOrder)
        return None if order is None else order.trial

    def removed(self) -> Iterator[TrialRecord]:
        """Yield trials and candidates on disk that are no longer in the grid, by name. All their costs are
        superseded."""
        sweep = self.sweep()
        planned = {trial.name for trial in (*sweep.trials, *sweep.candidates)}
        for name, path in self._on_disk():
            records = self._attempts(path) if name not in planned else []
            if records:
                head, last = records[-1]
                attempts = tuple(a for _, a in records)
                planned_trial = PlannedTrial(
                    cell=head.cell,
                    seed=head.seed,
                    fingerprint="",
                    resources=last.resources,
                    candidate=head.candidate,
                )
                yield TrialRecord(
                    planned=planned_trial,
                    state=TrialState.STALE,
                    attempts=attempts,
                    spending=spending_of(attempts, planned_trial.fingerprint),
                )

    def history(
        self,
        names: Iterable[str] | None = None,
        at: Callable[[float, float], None] = lambda done, total: None,
    ) -> dict[str, TrialHistory]:
        """Return what planning needs, by name, of all trials and candidates on disk or of the named ones.
        Empty before the first run. `at` hears how many of how many are read."""
        if names is None:
            on_disk = list(self._on_disk())
        else:
            on_disk = [(name, layout.trial_directory(self.directory, name)) for name in names]
        histories = {}
        for number, (name, path) in enumerate(on_disk):
            at(number, len(on_disk))
            attempts = [a for _, a in self._attempts(path)]
            if attempts:
                newest = _read(Path(newest_of(attempts).directory) / layout.ORDER, AttemptOrder)
                histories[name] = trial_history(attempts, newest.trial if newest else None)
        return histories

    def _on_disk(self) -> Iterator[tuple[str, Path]]:
        yield from _descend(self.directory / layout.TRIALS, "", _LEVELS)

    def _attempts(self, trial: Path) -> list[tuple[_TrialHead, AttemptRecord]]:
        """Return the attempts of a trial. A directory without an order holds an attempt that never began, and
        is left out."""
        attempts = (self._attempt(path) for _, path in layout.attempts(trial))
        return [attempt for attempt in attempts if attempt is not None]

    def _attempt(self, path: Path) -> tuple[_TrialHead, AttemptRecord] | None:
        if path in self._sealed:
            return self._sealed[path]
        order = _read(path / layout.ORDER, _OrderHead)
        if order is None:
            return None
        outcome, bill = _read(path / layout.OUTCOME, Outcome), _read(path / layout.BILL, Bill)
        device_type, devices = device_of(order.resources, outcome, bill)
        heartbeats = signs_of_life(path / layout.EVENTS) if bill is None else None
        billed, source = billed_seconds(devices, outcome, bill, heartbeats)
        measured = outcome is not None and outcome.phases
        finished = outcome is not None and outcome.state == "finished"
        time = timeline_of(outcome, bill, [] if measured else readable(path / layout.EVENTS))
        record = AttemptRecord(
            attempt=order.attempt,
            fingerprint=order.trial.fingerprint,
            directory=str(path),
            ordered_at=order.ordered_at,
            resources=order.resources,
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


def _resumed_from(checkpoint: str | None) -> int | None:
    """Return the number of the attempt that wrote the checkpoint `…/attempt-001/checkpoint/step-40`."""
    names = () if checkpoint is None else Path(checkpoint).parts
    numbers = [name.removeprefix("attempt-") for name in names if name.startswith("attempt-")]
    return int(numbers[-1]) if numbers and numbers[-1].isdigit() else None


def _interrupt_main_thread() -> None:
    """Interrupt the main thread as Ctrl-C does, even in a system call."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)


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


def _read(path: Path, model: type[M]) -> M | None:
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
            f" ({error.error_count()} faults)\n{_DAMAGED_SWEEP if path.name == layout.SWEEP else _FOREIGN}"
        ) from None
