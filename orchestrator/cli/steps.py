"""How far a long step is: a bar with the time left on a terminal, a line now and then in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from orchestrator.cli.heartbeat import heartbeat
from orchestrator.contracts.driver_lines import STAGING
from orchestrator.errors import printable
from orchestrator.execution.clock import Clock, SystemClock
from orchestrator.units import duration

_WIDTH = 24  # characters of the bar
_SOON_SECONDS = 2.0  # before that there is nothing to see, and no pace to tell the time left by


@dataclass
class Steps:
    """What a long step has done, of how much. `begin` and `at` may be called from the thread that works; the
    others read from another one."""

    what: str = ""  # say "cells planned"
    done: float = 0.0
    total: float = 0.0  # 0: not known
    doing: str = ""  # which one it is at
    amount: Callable[[float], str] = "{:,.0f}".format
    began: float | None = None  # None: nothing has begun

    def begin(
        self, what: str, total: float = 0.0, amount: Callable[[float], str] = "{:,.0f}".format
    ) -> Callable[[float, float], None]:
        """Start another step, and return what hears of its progress: what is done, of how much."""
        self.what, self.done, self.total, self.doing = what, 0.0, total, ""
        self.amount, self.began = amount, None
        return self.at

    def at(self, done: float, total: float) -> None:
        self.done, self.total = done, total

    def words(self, now: float) -> str:
        """Return `3 of 12 cells planned after 20 s, about 1 min left`, "" before the first call. `now`:
        seconds of any clock, the same at each call."""
        if not self.what:
            return ""
        if self.began is None:
            self.began = now
        seconds = now - self.began
        text = f"{self.what}: {duration(seconds)} so far"
        if self.total:
            text = (
                f"{self.amount(self.done)} of {self.amount(self.total)} {self.what} after {duration(seconds)}"
            )
            if 0 < self.done < self.total and seconds >= _SOON_SECONDS:
                left = seconds / self.done * (self.total - self.done)
                text += f", about {duration(left)} left"
        return f"{text}; {self.doing}" if self.doing else text


@dataclass(frozen=True)
class _Line:
    """Drawn again each time that the terminal refreshes."""

    steps: Steps
    clock: Clock

    def __rich__(self) -> RenderableType:
        grid = Table.grid(padding=(0, 1, 0, 0))
        words = Text(printable(self.steps.words(self.clock.now())))
        if self.steps.total:
            bar = ProgressBar(total=self.steps.total, completed=self.steps.done, width=_WIDTH)
            grid.add_row(bar, words)
        else:
            grid.add_row(words)
        return grid


@contextmanager
def showing(
    console: Console, steps: Steps, *, prefix: str = STAGING, clock: Clock | None = None
) -> Iterator[Steps]:
    """Show the steps while the body runs."""
    time = clock or SystemClock()
    with (
        console.status(_Line(steps, time)),
        heartbeat(console, lambda seconds: steps.words(time.now()), prefix=prefix),
    ):
        yield steps
