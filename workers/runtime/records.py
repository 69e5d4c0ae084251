"""The records of an attempt: events are appended while it runs, and its outcome is written last."""

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
    """Append to `events.jsonl`, one line at a time, so that a killed attempt loses at most its last line.
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
    """Write the outcome so that it is complete or absent, even after a crash of the machine. Return False and
    change nothing if the driver has closed the attempt in the meantime."""
    return write_once(path, outcome.model_dump_json(indent=1))


def is_superseded(attempt: Path) -> bool:
    """Return whether the driver has given up this attempt, because it got no heartbeat: it closed the attempt
    or started the next one. `attempt` is the directory. The check lists directories, because a network file
    system does not cache those."""
    later = max((number for number, _ in layout.attempts(attempt.parent)), default=0)
    return f"attempt-{later:03d}" > attempt.name or layout.OUTCOME in os.listdir(attempt)
