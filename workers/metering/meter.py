"""The inside meter of an attempt: which second belongs to which phase, and what was done and taken in it.

Phases are exclusive and leave no gap, so they add up to the wall time of the attempt.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from orchestrator.contracts.outcome import PhaseSeconds
from orchestrator.contracts.phase_work import PEAKS, PhaseWork
from orchestrator.contracts.vocabulary import Phase

Work = dict[Phase, PhaseWork]
# The energy counter of a GPU moves every 20 to 100 ms: a shorter phase gets nothing, or a neighbour's joules.
COUNTED_SECONDS = 1.0


class Gauge(Protocol):
    """Something that is read whenever a phase ends."""

    def lap(self) -> Mapping[str, float | None]:
        """What there was since the lap before, by field of PhaseWork. None: it could not be told, so the
        whole phase stays unknown. May raise: the meter goes on without it."""


class _Read:
    """A gauge as the meter reads it. One that raises is never read again, and what it told is unknown from
    then on: after a fault of a GPU every question to it fails, and the attempt still has an outcome to
    write."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge: Gauge | None = gauge
        self._told = set[str]()

    def lap(self) -> Mapping[str, float | None]:
        if self._gauge is not None:
            try:
                figures = self._gauge.lap()
            except Exception:
                self._gauge = None
            else:
                self._told.update(figures)
                return figures
        return dict.fromkeys(self._told)


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
        self._gauges: list[_Read] = []
        self._spent: dict[Phase, float] = {}
        self._found: dict[Phase, dict[str, float | None]] = {}
        self.phase = Phase.START

    def start_with(self, *gauges: Gauge) -> None:
        """They tell the whole of the phase that runs."""
        self._gauges += map(_Read, gauges)

    def attach(self, gauge: Gauge) -> None:
        """From the next phase on: of the one that runs it cannot tell the whole."""
        self.enter(self.phase)
        self._gauges.append(read := _Read(gauge))
        self._unknown(read.lap())

    def enter(self, phase: Phase) -> None:
        """Ends the phase that runs and begins `phase`. The gauges are read first: one that waits for the
        device waits for what the old phase asked of it."""
        for gauge in self._gauges:
            self._take(gauge.lap())
        now = self.now()
        self._spent[self.phase] = self._spent.get(self.phase, 0.0) + now - self._since
        self._since = now
        if phase is not self.phase:
            self.phase = phase
            self._on_phase(phase)

    def _take(self, figures: Mapping[str, float | None]) -> None:
        found = self._found.setdefault(self.phase, {})
        for name, value in figures.items():
            known = found.get(name, 0)
            if value is None or known is None:
                found[name] = None
            else:
                found[name] = max(known, value) if name in PEAKS else known + value

    def _unknown(self, figures: Mapping[str, float | None]) -> None:
        for phase in self._spent:
            self._found.setdefault(phase, {}).update(dict.fromkeys(figures))

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

    def work(self) -> Work:
        """What the gauges told of each phase so far, the running one included."""
        self.enter(self.phase)
        found = {phase: dict(figures) for phase, figures in self._found.items()}
        for phase, joules in _of_short_phases(found, self._spent).items():
            found[phase]["gpu_joules"] = joules
        return {phase: PhaseWork.model_validate(figures) for phase, figures in found.items()}

    def elapsed(self) -> float:
        """Seconds since the meter began, up to the last phase change: the sum of `seconds`."""
        return self._since - self._began


def _of_short_phases(
    found: Mapping[Phase, Mapping[str, float | None]], spent: PhaseSeconds
) -> dict[Phase, float]:
    """Joules of each phase, where one is shorter than the counter of a GPU can tell: that one gets its share
    by seconds, the others what is left, in proportion to what they had. The sum stays."""
    known = {p: joules for p, figures in found.items() if (joules := figures.get("gpu_joules")) is not None}
    whole, seconds = sum(known.values()), sum(spent[phase] for phase in known)
    short = {p: whole * spent[p] / seconds for p in known if seconds and spent[p] < COUNTED_SECONDS}
    counted = sum(joules for phase, joules in known.items() if phase not in short)
    if not short or (len(short) < len(known) and not counted):
        return {}
    left = whole - sum(short.values())
    return short | {p: joules * left / counted for p, joules in known.items() if p not in short}


def add_phases(first: PhaseSeconds, second: PhaseSeconds) -> PhaseSeconds:
    return {p: first.get(p, 0.0) + second.get(p, 0.0) for p in Phase if p in first or p in second}


def plain_work(work: Work) -> dict[str, dict[str, Any]]:
    """Return it in words and numbers, as ranks send it each other."""
    return {phase.value: done.model_dump() for phase, done in work.items()}


def parse_work(plain: Mapping[str, Mapping[str, Any]]) -> Work:
    """Return what another rank has sent."""
    return {Phase(phase): PhaseWork.model_validate(done) for phase, done in plain.items()}
