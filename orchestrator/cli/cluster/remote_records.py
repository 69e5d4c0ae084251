"""The records of a sweep in a cluster, as far as this machine can reach them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.cli.paths import mirror_of
from orchestrator.contracts import layout
from orchestrator.errors import LedgerError, StorageError
from orchestrator.storage.mirror import Mirror
from orchestrator.storage.remote import Remote, is_uri
from orchestrator.tracking.ledger import Ledger


class RemoteRecords:
    """`written_to`: the storage as the pods see it; `here`: the same storage as this machine sees it, where
    that is another path or URI. `say` hears, once, why a store is out of reach."""

    def __init__(
        self,
        sweep: str,
        written_to: str,
        here: str | None,
        options: Mapping[str, object],
        say: Callable[[str], None],
    ) -> None:
        self._sweep, self._written_to, self._say = sweep, written_to, say
        self._closed = False  # to this account
        directory = here or written_to
        self._mirror: Mirror | None = (
            mirror_of(Remote(directory, options), sweep) if is_uri(directory) else None
        )
        self._ledger = Ledger(self._mirror.directory if self._mirror else Path(directory) / sweep)

    def counts(self) -> str | None:
        """`trials: 3 finished, 1 running`; None where the records are out of reach or not begun."""
        if not self._there():
            return None
        try:
            states = Counter(record.state.value for record in self._ledger.trials())
        except (LedgerError, OSError):
            return None
        return "trials: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items()))

    @property
    def in_store(self) -> bool:
        """Return whether the pods write to an object store instead of a volume."""
        return is_uri(self._written_to)

    @property
    def report_path(self) -> str:
        """The report's, as the pods see it."""
        return f"{self._written_to}/{self._sweep}/{layout.REPORT}"

    def within_reach(self) -> Ledger | None:
        """The records, where this machine can read them."""
        return self._ledger if self._there() else None

    def _there(self) -> bool:
        if self._mirror is not None:
            try:
                self._mirror.pull()
            except StorageError as error:
                self._say(f"the records cannot be read from here: {error}")
                self._mirror = None
        try:
            return (self._ledger.directory / layout.SWEEP).is_file()
        except PermissionError:
            if not self._closed:
                self._closed = True
                self._say(
                    f"{self._ledger.directory} may not be read by this account: its pods keep it to theirs"
                )
            return False
