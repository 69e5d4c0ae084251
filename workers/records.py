"""What an attempt writes down: its events as they happen, its outcome as its last act."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.contracts.outcome import Event, Outcome


class EventLog:
    """Appends to `events.jsonl`, one line at a time, so that a killed attempt loses at most its last line."""

    def __init__(self, path: Path, wall_clock: Callable[[], float] = time.time) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")
        self.now = wall_clock  # Unix time, for the `at` of events

    def write(self, event: Event) -> None:
        self._file.write(event.model_dump_json() + "\n")

    def close(self) -> None:
        self._file.close()


def write_outcome(path: Path, outcome: Outcome) -> None:
    """Atomic: the file is complete or absent, also after a crash of the machine."""
    draft = path.with_name(path.name + ".tmp")
    with draft.open("w", encoding="utf-8") as file:
        file.write(outcome.model_dump_json(indent=1))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
