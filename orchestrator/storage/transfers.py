"""Carries an attempt's records to the store while it runs."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from orchestrator.contracts import layout
from orchestrator.errors import StorageError
from orchestrator.storage.mirror import Mirror, newest_checkpoint

EVERY_SECONDS = 5.0
_FIRST_SECONDS = 1.0  # doubled until it is that: short attempts are to be seen too


class Courier:
    """A thread while the context is open: events and finished checkpoints, every few seconds. A store that
    fails holds up nothing: the next round, or `Mirror.push_ended`, brings what is missing."""

    def __init__(self, mirror: Mirror, directory: Path, every: float = EVERY_SECONDS) -> None:
        self._mirror, self._directory, self._every = mirror, directory, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="courier", daemon=True)
        self._sent = 0  # bytes of events
        self._saved: Path | None = None  # newest checkpoint

    def __enter__(self) -> Courier:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for the request that is under way."""
        self._over.set()
        self._thread.join()

    def _carry(self) -> None:
        pause = min(_FIRST_SECONDS, self._every)
        while not self._over.wait(pause):
            pause = min(2 * pause, self._every)
            with suppress(StorageError, OSError):
                self._round()

    def _round(self) -> None:
        path = self._directory / layout.EVENTS
        size = path.stat().st_size if path.exists() else 0
        if size != self._sent:
            self._mirror.push_events(self._directory)
            self._sent = size
        newest = newest_checkpoint(self._directory)
        if newest is not None and newest != self._saved:
            self._mirror.push_checkpoint(self._directory)
            self._saved = newest
