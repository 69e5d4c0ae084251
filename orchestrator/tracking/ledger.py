"""The ledger: the records of a sweep as they are on disk; all that report, status and sync ever read."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from orchestrator.contracts import layout
from orchestrator.contracts.cluster_time import Held
from orchestrator.contracts.copy_mark import copy_in
from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.kept_weights import KeptWeights
from orchestrator.contracts.ledger import AttemptRecord, TrialRecord
from orchestrator.contracts.sweep import ChangedData, PlannedTrial, SweepRecord
from orchestrator.contracts.trial import AttemptOrder, TrialSpec
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import LaunchError, LedgerError, StorageError
from orchestrator.storage.lease import Lease, hold
from orchestrator.storage.mirror import Mirror
from orchestrator.storage.store import DirectoryStore
from orchestrator.tracking.attempt_records import FOREIGN, AttemptReader, read_attempt_record, trials_on_disk
from orchestrator.tracking.observations import newest_of, trial_history
from orchestrator.tracking.trial_costs import spending_of, state_of


class _SweepHead(BaseModel):
    """What a record keeps of the one before it."""

    model_config = ConfigDict(extra="ignore")
    sweep_id: str | None = None
    changed_data: tuple[ChangedData, ...] = ()


class Ledger:
    """The records of one sweep, read on demand. With a mirror the directory is a copy of a sweep in an object
    store, as far as it has been pulled."""

    def __init__(self, sweep_directory: Path, mirror: Mirror | None = None) -> None:
        self.directory, self.mirror = sweep_directory, mirror
        self._lease: Lease | None = None
        self._attempts = AttemptReader()

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
        """Write the sweep's record and return it, with the id of the record that is there, or else a new one,
        and with the changes of data that it has. Raises HeldError if another driver has taken the sweep over,
        LedgerError if the record that is there is unreadable."""
        before = read_attempt_record(self.directory / layout.SWEEP, _SweepHead) or _SweepHead()
        changes = tuple(dict.fromkeys((*before.changed_data, *record.changed_data)))
        record = record.model_copy(
            update={"sweep_id": before.sweep_id or uuid4().hex, "changed_data": changes}
        )
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
        return read_attempt_record(self.directory / layout.SWEEP, SweepRecord)

    def write_held(self, held: Held) -> None:
        """Write what GPUs were held. Raises HeldError if another driver has taken the sweep over."""
        self._write(layout.HELD, held)

    def write_weights(self, weights: KeptWeights) -> None:
        """Write which whole models stay. Raises HeldError if another driver has taken the sweep over."""
        self._write(layout.WEIGHTS, weights)

    def weights(self) -> KeptWeights | None:
        """Return which whole models stay, None where no driver has chosen. Raises LedgerError if it is
        unreadable."""
        return read_attempt_record(self.directory / layout.WEIGHTS, KeptWeights)

    def _write(self, name: str, record: BaseModel) -> None:
        if self._lease is not None:
            self._lease.check()
        write_atomically(self.directory / name, record.model_dump_json(indent=1) + "\n")
        if self._lease is not None and self.mirror is not None:
            self.mirror.push_record(name)

    def held(self) -> Held:
        """Return what GPUs of a cluster were held, empty if none was. Raises LedgerError if it is
        unreadable."""
        return read_attempt_record(self.directory / layout.HELD, Held) or Held()

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
        attempts = tuple(
            a for _, a in self._attempts.read(layout.trial_directory(self.directory, planned.name))
        )
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
            raise LedgerError(f"{path}: cannot be read as {ScoredExamples.__name__}\n{FOREIGN}") from None

    def spec(self, attempt: AttemptRecord) -> TrialSpec | None:
        """Return what the attempt was ordered to train, None if its order is gone. Raises LedgerError if it
        is unreadable."""
        order = read_attempt_record(Path(attempt.directory) / layout.ORDER, AttemptOrder)
        return None if order is None else order.trial

    def removed(self) -> Iterator[TrialRecord]:
        """Yield trials and candidates on disk that are no longer in the grid, by name. All their costs are
        superseded."""
        sweep = self.sweep()
        planned = {trial.name for trial in (*sweep.trials, *sweep.candidates)}
        for name, path in trials_on_disk(self.directory):
            records = self._attempts.read(path) if name not in planned else []
            if records:
                head, last = records[-1]
                attempts = tuple(a for _, a in records)
                planned_trial = PlannedTrial(
                    cell=head.cell,
                    seed=head.seed,
                    fingerprint="",
                    resources=last.resources,
                    candidate=head.candidate,
                    fold=head.fold,
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
            on_disk = list(trials_on_disk(self.directory))
        else:
            on_disk = [(name, layout.trial_directory(self.directory, name)) for name in names]
        histories = {}
        for number, (name, path) in enumerate(on_disk):
            at(number, len(on_disk))
            attempts = [a for _, a in self._attempts.read(path)]
            if attempts:
                newest = read_attempt_record(Path(newest_of(attempts).directory) / layout.ORDER, AttemptOrder)
                histories[name] = trial_history(attempts, newest.trial if newest else None)
        return histories


def _interrupt_main_thread() -> None:
    """Interrupt the main thread as Ctrl-C does, even in a system call."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)
