"""The status of a sweep, read repeatedly: what cannot change any more is read once.

A look costs a question to the file system for each trial that is not finished, and the reading of what has
ended since the look before; so a sweep of 10,000 trials can be watched every other second.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.contracts import layout
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.sweep import PlannedTrial, SweepRecord
from orchestrator.contracts.vocabulary import FailureKind, TrialState
from orchestrator.tracking.ledger import Ledger

# Modification times, and whether outcome and bill are there: all that can change about a trial's directory.
_Look = tuple[int, bool, bool]
_NOTHING: _Look = (-1, False, False)


@dataclass(frozen=True)
class RunningAttempt:
    """An attempt that has begun and not ended. Times are Unix times."""

    trial: PlannedTrial
    since: float


@dataclass
class SweepStanding:
    """The status of planned trials and, separately, of the candidates of searches. `finished` are the records
    that have come in since the look before; `billed` counts attempts that have ended, in device-seconds by
    device type."""

    sweep: SweepRecord
    driver: str | None  # the process that drives it; None: there is none
    plan_changed: bool = False  # the plan has changed: earlier results are void, and are sent again
    states: Counter[TrialState] = field(default_factory=Counter)
    candidates: Counter[TrialState] = field(default_factory=Counter)
    running: list[RunningAttempt] = field(default_factory=list)
    waiting: list[PlannedTrial] = field(default_factory=list)
    failures: Counter[FailureKind] = field(default_factory=Counter)
    again: int = 0  # of those waiting: begun before, and ended early
    billed: dict[str, float] = field(default_factory=dict)
    fresh: list[TrialRecord] = field(default_factory=list)


@dataclass
class _Entry:
    """A trial, and what the look before has left of it."""

    trial: PlannedTrial
    directory: str
    look: _Look = _NOTHING
    newest: Path | None = None
    record: TrialRecord | None = None

    @property
    def state(self) -> TrialState:
        return self.record.state if self.record else TrialState.NEW

    @property
    def is_closed(self) -> bool:
        """Finished, and billed: the bill follows the outcome by a moment."""
        return self.state is TrialState.FINISHED and self.look[1:] == (True, True)


class Watcher:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._driver: str | None = None
        self._sweep: SweepRecord | None = None
        self._stamp: tuple[int, int] | None = None
        self._removed: dict[str, float] = {}
        self._forget()

    def _forget(self) -> None:
        self._open: dict[str, _Entry] = {}
        self._closed: dict[str, str] = {}  # name -> fingerprint
        self._states, self._candidates = Counter[TrialState](), Counter[TrialState]()  # of what is closed
        self._billed: dict[str, float] = {}  # likewise

    def look(self, ask_driver: bool = True) -> SweepStanding:
        """Read the ledger. The store is asked who drives the sweep, or the last answer is used. Raises
        LedgerError if there is no sweep, or a record cannot be read."""
        sweep, plan_changed = self._read_sweep()
        if ask_driver:
            self._driver = self._ledger.driver()
        standing = SweepStanding(sweep, self._driver, plan_changed=plan_changed)
        for entry in list(self._open.values()):
            self._refresh(entry, standing)
        standing.states, standing.candidates = self._states.copy(), self._candidates.copy()
        standing.billed = {**self._billed}
        for kind, seconds in self._removed.items():
            standing.billed[kind] = standing.billed.get(kind, 0.0) + seconds
        for entry in self._open.values():
            self._tell(entry, standing)
        standing.running.sort(key=lambda running: running.since)
        return standing

    def _read_sweep(self) -> tuple[SweepRecord, bool]:
        """Read the sweep's record, and return whether the plan has changed, so that everything is counted
        again."""
        path = self._ledger.directory / layout.SWEEP
        stamp = (stat.st_mtime_ns, stat.st_size) if (stat := _stat(path)) else None
        if self._sweep is not None and stamp == self._stamp:
            return self._sweep, False
        if self._sweep is None:
            for removed in self._ledger.removed():
                _add_up(self._removed, removed)
        self._sweep, self._stamp = self._ledger.sweep(), stamp
        planned = {t.name: t for t in (*self._sweep.trials, *self._sweep.candidates)}
        fingerprints = self._closed | {name: entry.trial.fingerprint for name, entry in self._open.items()}
        plan_changed = any(
            n not in planned or planned[n].fingerprint != mark for n, mark in fingerprints.items()
        )
        if plan_changed:
            self._forget()
        for name, trial in planned.items():
            if name not in self._closed and name not in self._open:
                directory = layout.trial_directory(self._ledger.directory, name)
                self._open[name] = _Entry(trial, str(directory))
        return self._sweep, plan_changed

    def _refresh(self, entry: _Entry, standing: SweepStanding) -> None:
        look = _glance(entry)
        if look == entry.look:
            return
        before, entry.look, entry.record = entry.state, look, self._ledger.trial(entry.trial)
        if entry.state is TrialState.FINISHED and before is not TrialState.FINISHED:
            standing.fresh.append(entry.record)
        if entry.is_closed:
            del self._open[entry.trial.name]
            self._closed[entry.trial.name] = entry.trial.fingerprint
            (self._states if entry.trial.candidate is None else self._candidates)[entry.state] += 1
            _add_up(self._billed, entry.record)

    def _tell(self, entry: _Entry, standing: SweepStanding) -> None:
        trial, state, record = entry.trial, entry.state, entry.record
        (standing.states if trial.candidate is None else standing.candidates)[state] += 1
        if record is not None:
            _add_up(standing.billed, record)
        if state is TrialState.FINISHED:
            return
        last = record.attempts[-1] if record and record.attempts else None
        driven = standing.driver is not None or self._ledger.mirror is not None
        if last is not None and driven and last.bill is None and last.outcome is None:
            standing.running.append(RunningAttempt(trial, last.ordered_at))
            return
        failure = record.outcome.failure if record and record.outcome else None
        if failure is None or state is not TrialState.FAILED:
            standing.waiting.append(trial)
            standing.again += state is TrialState.UNFINISHED
        elif failure.kind.blames_the_machine and driven:  # the driver tries it again
            standing.waiting.append(trial)
            standing.again += 1
        else:
            standing.failures[failure.kind] += 1


def _glance(entry: _Entry) -> _Look:
    """Check without reading a file. The newest attempt is looked for if the directory has changed."""
    directory = _stat(entry.directory)
    if directory is None:
        return _NOTHING
    if directory.st_mtime_ns != entry.look[0]:
        attempts = layout.attempts(Path(entry.directory))
        entry.newest = attempts[-1][1] if attempts else None
    if entry.newest is None or not (entry.newest / layout.ORDER).exists():
        return _NOTHING
    ended, billed = (entry.newest / layout.OUTCOME).exists(), (entry.newest / layout.BILL).exists()
    return directory.st_mtime_ns, ended, billed


def _stat(path: str | Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _add_up(billed: dict[str, float], record: TrialRecord) -> None:
    """Add what ended attempts were billed; what the running one takes is read from the clock."""
    for attempt in record.attempts:
        if attempt.bill is not None or attempt.outcome is not None:
            seconds = attempt.billed_device_seconds or 0.0
            billed[attempt.device_type] = billed.get(attempt.device_type, 0.0) + seconds
