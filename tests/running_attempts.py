"""Attempts that are looked at, or disturbed, while they run."""

from __future__ import annotations

import threading
from pathlib import Path

import workshop

from workers.runtime.host import AttemptHost


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


def ranks_of(host: AttemptHost) -> list[int]:
    template = host._template.pid
    return [int(p) for p in Path(f"/proc/{template}/task/{template}/children").read_text().split()]
