"""The inside meter of an attempt: which second belongs to which phase, and peak memory.

Phases are exclusive and leave no gap, so they add up to the wall time of the attempt.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.contracts.outcome import PhaseSeconds
from orchestrator.contracts.vocabulary import Phase


class Meter:
    """Begins in the start phase. `began` is the clock's value at which it did, in seconds: the fork, say.

    `on_phase` is told of every phase that begins.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        began: float | None = None,
        on_phase: Callable[[Phase], None] = lambda _: None,
    ) -> None:
        self.now = clock
        self._began = self._since = clock() if began is None else began
        self._on_phase = on_phase
        self._spent: dict[Phase, float] = {}
        self.phase = Phase.START

    def enter(self, phase: Phase) -> None:
        """Ends the phase that runs and begins `phase`."""
        now = self.now()
        self._spent[self.phase] = self._spent.get(self.phase, 0.0) + now - self._since
        self._since = now
        if phase is not self.phase:
            self.phase = phase
            self._on_phase(phase)

    @contextmanager
    def within(self, phase: Phase) -> Iterator[None]:
        """`phase` inside the one that runs, which goes on afterwards. A failure stays in `phase`."""
        outer = self.phase
        self.enter(phase)
        yield
        self.enter(outer)

    def seconds(self) -> PhaseSeconds:
        """Seconds of each phase so far, that of the running one included."""
        self.enter(self.phase)
        return dict(self._spent)

    def seconds_of(self, phase: Phase) -> float:
        """Seconds of one phase so far."""
        running = self.now() - self._since if phase is self.phase else 0.0
        return self._spent.get(phase, 0.0) + running

    def elapsed(self) -> float:
        """Seconds since the meter began, up to the last phase change: the sum of `seconds`."""
        return self._since - self._began


def peak_host_memory_bytes() -> int:
    """Largest resident set of this process so far. Pages shared with the warm template are counted in."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def add_phases(first: PhaseSeconds, second: PhaseSeconds) -> PhaseSeconds:
    return {p: first.get(p, 0.0) + second.get(p, 0.0) for p in Phase if p in first or p in second}
