"""Ctrl-C and SIGTERM become a flag that a launcher looks at between two steps, where stopping is clean."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    def __init__(self) -> None:
        self._asked = False

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:  # the second time the user means now
            raise KeyboardInterrupt
        self._asked = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if the user or the system asked to stop."""
        if self._asked:
            raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Take over the two signals, and give them back. Outside the main thread signals can't be taken over."""
    pending = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield pending
        return
    before = {number: signal.signal(number, pending._ask) for number in _SIGNALS}
    try:
        yield pending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
