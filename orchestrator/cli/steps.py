"""How far a long step is: a bar with the time left on a terminal, a line now and then in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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
_SOON_SECONDS = 2.0  # before that there is no pace to tell the time left by


def _whole_number(value: float) -> str:
    return f"{int(value):,}"


@dataclass
class Steps:
    """What a long step has done, of how much. The thread that works calls `begin` and `at`, another one
    `words`."""

    clock: Clock = field(default_factory=SystemClock)
    what: str = ""  # say "cells planned"
    counts: str = ""  # in place of `done` of `total`
    doing: str = ""  # which one it is at
    done: float = 0.0
    total: float = 0.0  # 0: not known
    _amount: Callable[[float], str] = _whole_number
    _began: float = 0.0
    _changed: float = 0.0  # when `done` last rose

    def begin(
        self, what: str, amount: Callable[[float], str] = _whole_number
    ) -> Callable[[float, float], None]:
        """Start another step, and return what hears of its progress: what is done, of how much."""
        self.what, self.counts, self.doing, self.done, self.total = what, "", "", 0.0, 0.0
        self._amount, self._began = amount, self.clock.now()
        return self.at

    def at(self, done: float, total: float) -> None:
        if done != self.done:
            self._changed = self.clock.now()
        self.done, self.total = done, total

    def words(self) -> str:
        """Return `3 of 12 cells planned after 20 s, about 1 min left`, "" before the first step."""
        if not self.what:
            return ""
        now = self.clock.now()
        counts = self.counts or f"{self._amount(self.done)} of {self._amount(self.total)}"
        elapsed = duration(now - self._began)
        text = f"{counts} {self.what} after {elapsed}" if self.total else f"{self.what}: {elapsed} so far"
        if 0 < self.done < self.total and self._changed - self._began >= _SOON_SECONDS:
            pace = (self._changed - self._began) / self.done
            left = pace * (self.total - self.done) - (now - self._changed)
            text += f", about {duration(left)} left" if left > 0 else ""
        return f"{text}; {self.doing}" if self.doing else text


@dataclass(frozen=True)
class _Line:
    """Drawn again each time that the terminal refreshes."""

    steps: Steps

    def __rich__(self) -> RenderableType:
        grid = Table.grid(padding=(0, 1, 0, 0))
        words = Text(printable(self.steps.words()))
        if self.steps.total:
            bar = ProgressBar(total=self.steps.total, completed=self.steps.done, width=_WIDTH)
            grid.add_row(bar, words)
        else:
            grid.add_row(words)
        return grid


@contextmanager
def showing(console: Console, steps: Steps, *, prefix: str = STAGING) -> Iterator[Steps]:
    """Show the steps while the body runs."""
    with console.status(_Line(steps)), heartbeat(console, lambda seconds: steps.words(), prefix=prefix):
        yield steps
