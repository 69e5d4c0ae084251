"""What a sweep has written to MLflow, remembered beside its records: a run with nothing new need not ask."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from orchestrator.contracts import layout
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.record import Record
from orchestrator.tracking.sqlite_store import created_at
from orchestrator.tracking.tracking_uri import store_file


class PublishedRuns(Record):
    """`published.json`. `store`: the identity of the MLflow store; `runs`: the digest of each run by name."""

    store: str
    runs: dict[str, str]


class RunsInStore:
    """The runs of one sweep in one store. Another address, another file at the address of a store of this
    machine, or another experiment in it, is another store: nothing counts as written there. What somebody
    changes in a store afterwards is not noticed here; `frontier sync` compares every run."""

    def __init__(self, uri: str, directory: Path, *, trusted: bool = True) -> None:
        """`directory` is that of the sweep. Not `trusted`: the store is asked about every run."""
        self._uri, self._path = uri, directory / layout.PUBLISHED
        read = self._read()
        self._before, self._saved = read if trusted else {}, read
        self.names = frozenset(read)  # of the runs that an earlier command left in this store
        self._runs: dict[str, str] = {}

    def says(self, name: str, digest: str) -> bool:
        """Return whether an earlier command has written the run with this content."""
        return self._before.get(name) == digest

    def note(self, name: str, digest: str) -> None:
        """Remember that the store has the run with this content."""
        self._runs[name] = digest

    def save(self) -> None:
        """Write down the runs that were noted, all others are forgotten. Without a place to write, the next
        run asks the store."""
        if self._runs == self._saved:
            return
        content = PublishedRuns(store=self._identity(), runs=self._runs)
        with suppress(OSError):
            write_atomically(self._path, content.model_dump_json(indent=1) + "\n")
            self._saved = dict(self._runs)

    def _read(self) -> dict[str, str]:
        try:
            kept = PublishedRuns.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return {}
        return kept.runs if kept.store == self._identity() else {}

    def _identity(self) -> str:
        """Return the digest of the address, of the file that is there now and of when the sweep's experiment
        was created in it: a new file may get the number of a deleted one."""
        parts = [self._uri]
        if (file := store_file(self._uri)) is not None:
            with suppress(OSError):
                state, created = file.stat(), created_at(file, self._path.parent.name)
                parts += [str(state.st_dev), str(state.st_ino), str(created)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()
