"""Attempts that are looked at, or disturbed, while they run."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import workshop

from workers.runtime.host import AttemptHost

LONG = {"epochs": 5000}  # a recipe that does not end by itself


def wait_for(path: Path, text: str) -> None:
    workshop.wait_for(lambda: path.exists() and text in path.read_text(), f"{text} in {path.name}")


class Started:
    """An attempt in a thread, waited for until its first step is written."""

    def __init__(self, host: AttemptHost, order: Path) -> None:
        self.codes: list[int] = []
        self._thread = threading.Thread(target=lambda: self.codes.append(host.run(order)))
        self._thread.start()
        wait_for(order.parent / "events.jsonl", '"step"')

    def code(self) -> int:
        self._thread.join()
        return self.codes[0]


def ended(pid: int) -> bool:
    """Waits for the end of a process that need not be a child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(descriptor) as file:
        return bool(select.select([file], [], [], workshop.PATIENCE)[0])


@contextmanager
def standing_still(attempts: Sequence[int]) -> Iterator[None]:
    """They are alive and take no core from what they are to outlive."""
    for pid in attempts:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in attempts:
        os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ranks_of(host: AttemptHost) -> list[int]:
    return children(host._template.pid)
