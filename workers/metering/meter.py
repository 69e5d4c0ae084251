"""Meter an attempt from inside: which second belongs to which phase, and what each phase used.

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
# A GPU updates its energy counter every 20 to 100 ms: a shorter phase gets nothing, or a neighbour's joules.
COUNTED_SECONDS = 1.0


class Gauge(Protocol):
    """A value that is read whenever a phase ends."""

    def lap(self) -> Mapping[str, float | None]:
        """Return what was measured since the last lap, by field of PhaseWork. None means that it could not be
        measured, so the whole phase is unknown. May raise: the meter then stops reading this gauge."""


class _Read:
    """A gauge as the meter reads it. If it raises, it is never read again and its fields stay unknown: after
    a GPU failure every call to it fails, and the attempt still has to write its outcome."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge: Gauge | None = gauge
        self._fields = set[str]()

    def lap(self) -> Mapping[str, float | None]:
        if self._gauge is not None:
            try:
                figures = self._gauge.lap()
            except Exception:
                self._gauge = None
            else:
                self._fields.update(figures)
                return figures
        return dict.fromkeys(self._fields)


class Meter:
    """Start in the start phase. `began` is the clock's value at that moment in seconds, for example at the
    fork.

    The meter calls `on_phase` with every phase that begins.
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
        """Attach gauges that measure the running phase from its beginning."""
        self._gauges += map(_Read, gauges)

    def attach(self, gauge: Gauge) -> None:
        """Attach a gauge from the next phase on; its fields stay unknown in the running one."""
        self.enter(self.phase)
        self._gauges.append(reader := _Read(gauge))
        self._unknown(reader.lap())

    def enter(self, phase: Phase) -> None:
        """End the running phase and begin `phase`. The gauges are read first: a gauge that waits for the
        device waits for the work of the old phase."""
        for gauge in self._gauges:
            self._take(gauge.lap())
        now = self.now()
        self._spent[self.phase] = self._spent.get(self.phase, 0.0) + now - self._since
        self._since = now
        if phase is not self.phase:
            self.phase = phase
            self._on_phase(phase)

    def _take(self, figures: Mapping[str, float | None]) -> None:
        totals = self._found.setdefault(self.phase, {})
        for name, value in figures.items():
            total = totals.get(name, 0)
            if value is None or total is None:
                totals[name] = None
            else:
                totals[name] = max(total, value) if name in PEAKS else total + value

    def _unknown(self, figures: Mapping[str, float | None]) -> None:
        for phase in self._spent:
            self._found.setdefault(phase, {}).update(dict.fromkeys(figures))

    @contextmanager
    def within(self, phase: Phase) -> Iterator[None]:
        """Enter `phase`, and return to the running one afterwards. After a failure the meter stays in
        `phase`."""
        outer = self.phase
        self.enter(phase)
        yield
        self.enter(outer)

    def seconds(self) -> PhaseSeconds:
        """Return the seconds of each phase so far, the running one included."""
        self.enter(self.phase)
        return dict(self._spent)

    def seconds_of(self, phase: Phase) -> float:
        """Return the seconds of one phase so far."""
        running = self.now() - self._since if phase is self.phase else 0.0
        return self._spent.get(phase, 0.0) + running

    def work(self) -> Work:
        """Return what the gauges measured in each phase so far, the running one included."""
        self.enter(self.phase)
        measured = {phase: dict(figures) for phase, figures in self._found.items()}
        for phase, joules in _of_short_phases(measured, self._spent).items():
            measured[phase]["gpu_joules"] = joules
        return {phase: PhaseWork.model_validate(figures) for phase, figures in measured.items()}

    def elapsed(self) -> float:
        """Return the seconds since the meter began, up to the last phase change: the sum of `seconds`."""
        return self._since - self._began


def _of_short_phases(
    measured: Mapping[Phase, Mapping[str, float | None]], spent: PhaseSeconds
) -> dict[Phase, float]:
    """Return corrected joules per phase where a phase is too short for the GPU's counter: that phase gets its
    share by seconds, the others the rest, in proportion to their readings. The sum stays."""
    by_phase = {
        p: joules for p, figures in measured.items() if (joules := figures.get("gpu_joules")) is not None
    }
    total, seconds = sum(by_phase.values()), sum(spent[phase] for phase in by_phase)
    short = {p: total * spent[p] / seconds for p in by_phase if seconds and spent[p] < COUNTED_SECONDS}
    counted = sum(joules for phase, joules in by_phase.items() if phase not in short)
    if not short or (len(short) < len(by_phase) and not counted):
        return {}
    remaining = total - sum(short.values())
    return short | {p: joules * remaining / counted for p, joules in by_phase.items() if p not in short}


def add_phases(left: PhaseSeconds, right: PhaseSeconds) -> PhaseSeconds:
    return {p: left.get(p, 0.0) + right.get(p, 0.0) for p in Phase if p in left or p in right}


def plain_work(work: Work) -> dict[str, dict[str, Any]]:
    """Return the work as strings and numbers, which ranks can send each other."""
    return {phase.value: done.model_dump() for phase, done in work.items()}


def parse_work(plain: Mapping[str, Mapping[str, Any]]) -> Work:
    """Return the work that another rank has sent."""
    return {Phase(phase): PhaseWork.model_validate(done) for phase, done in plain.items()}
