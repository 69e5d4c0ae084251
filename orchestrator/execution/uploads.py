"""What a launch owes the store of its sweep. Where the storage is a directory, nothing: all is there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from orchestrator.contracts import layout
from orchestrator.contracts.files import write_atomically
from orchestrator.errors import StorageError
from orchestrator.execution.launcher import TrialOrder, Workplace
from orchestrator.storage.mirror import Mirror
from orchestrator.storage.remote import PatientStore
from orchestrator.storage.shared_cache import SharedCache
from orchestrator.storage.transfers import Courier


class Delivery:
    """On the machine that runs attempts. `pause` waits for so many seconds; what it returns ends the patience
    with a store that fails, if it is true."""

    def __init__(self, workplace: Workplace, pause: Callable[[float], object]) -> None:
        self._remote = workplace.remote
        if workplace.remote is None:
            return
        self._impatient = Mirror(workplace.remote.open(), workplace.sweep_directory)
        store = PatientStore(self._impatient.store, sleep=pause)
        self._mirror, self._cache = (
            Mirror(store, workplace.sweep_directory),
            SharedCache(store, workplace.cache_dir),
        )

    def refresh(self, trial: str) -> None:
        """Fetch the records of earlier attempts, wherever they ran."""
        if self._remote is not None:
            self._mirror.pull(trial)

    def prepare(self, trial: TrialOrder) -> None:
        """All that an attempt at the trial starts from: records, newest checkpoint, weights, made data."""
        if self._remote is None:
            return
        self._mirror.pull(trial.name)
        self._mirror.pull_checkpoint(trial.name, trial.spec.fingerprint)
        self._cache.need(trial.spec.backbone)
        self._cache.need(trial.spec.task)

    def claim(self, trial: str, directory: Path, order: bytes) -> bool:
        """Return whether the attempt's number is ours. If not, the owner's records are here afterwards."""
        if self._remote is None or self._mirror.claim_attempt(directory, order):
            return True
        self._mirror.pull(trial)
        return False

    def under_way(self, directory: Path) -> AbstractContextManager[object]:
        """While the attempt runs."""
        return nullcontext() if self._remote is None else Courier(self._impatient, directory)

    def ended(self, directory: Path) -> bool:
        """Once it has its bill. False where another machine closed it in the meantime: its records are here
        now. Raises StorageError where they can't be delivered."""
        if self._remote is None:
            return True
        try:
            own = self._mirror.push_ended(directory)
        except StorageError as failed:
            raise StorageError(
                f"the records of an attempt cannot be delivered to {self._remote.uri}; they are in "
                f"{directory}, and the next run on this machine delivers them\n    -> {failed}"
            ) from failed
        shutil.rmtree(directory / layout.MODEL, ignore_errors=True)  # the store has it; this disk is small
        return own


class DriverDelivery:
    """On the driver's machine, while others run the attempts. What fails here is made good by `Ledger.lock`,
    which pulls and pushes everything when it is taken and given back."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._mirror = workplace.remote and Mirror(workplace.remote.open(), workplace.sweep_directory)

    def arrived(self, trial: str, attempt: int, outcome: str, bill: str) -> None:
        """Note an attempt's end as its machine reported it: its records are in the store."""
        if not self._mirror:
            return
        self.refresh(trial)
        directory = layout.attempt_directory(self._workplace.sweep_directory, trial, attempt)
        for name, content in ((layout.OUTCOME, outcome), (layout.BILL, bill)):
            if not (directory / name).exists():
                write_atomically(directory / name, content)

    def refresh(self, trial: str) -> None:
        if self._mirror:
            with suppress(StorageError):
                self._mirror.pull(trial)

    def closed(self, directory: Path) -> None:
        """An attempt that the driver closed, as its machine is gone."""
        if self._mirror:
            with suppress(StorageError):
                self._mirror.push_ended(directory)
