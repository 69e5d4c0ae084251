"""What an attempt writes down: its events as they happen, its outcome as its last act."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.contracts import layout
from orchestrator.contracts.files import write_once
from orchestrator.contracts.outcome import Event, Outcome


class EventLog:
    """Appends to `events.jsonl`, one line at a time, so that a killed attempt loses at most its last line.
    Threads may share it."""

    def __init__(self, path: Path, wall_clock: Callable[[], float] = time.time) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")
        self._writing = threading.Lock()
        self.now = wall_clock  # Unix time, for the `at` of events

    def write(self, event: Event) -> None:
        line = event.model_dump_json() + "\n"
        with self._writing:
            self._file.write(line)

    def close(self) -> None:
        self._file.close()


def write_outcome(path: Path, outcome: Outcome) -> bool:
    """Complete or absent, also after a crash of the machine. False where somebody else has closed the attempt
    meanwhile: that stands."""
    return write_once(path, outcome.model_dump_json(indent=1))


def is_superseded(attempt: Path) -> bool:
    """Whether others have given this attempt up, as they could not hear of it: they closed it, or began the
    next one. `attempt` is its directory. Lists directories, which a network file system looks up afresh."""
    later = max((number for number, _ in layout.attempts(attempt.parent)), default=0)
    return f"attempt-{later:03d}" > attempt.name or layout.OUTCOME in os.listdir(attempt)
