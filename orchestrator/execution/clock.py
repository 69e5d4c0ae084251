"""Time as a parameter."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Unix time in seconds."""


class SystemClock:
    def now(self) -> float:
        return time.time()


class VirtualClock:
    """A clock that only moves when it is advanced."""

    def __init__(self, start: float = 1_000_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def advance_to(self, at: float) -> None:
        """Set the time. Raises ValueError if that would go back."""
        if at < self._now:
            raise ValueError(f"time does not run backwards: {at} is before {self._now}")
        self._now = at
