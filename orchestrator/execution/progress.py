"""How far a run has come. Pure: state out of events, with no clock of its own."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.contracts.kept_weights import KeptWeights
from orchestrator.contracts.metrics import MetricName, quality
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.launcher import (
    AttemptEnded,
    DashboardReady,
    LaunchEvent,
    RunPlanned,
    TrialEnded,
    TrialLost,
    TrialStarted,
    TrialWentOn,
    WeightsChosen,
)

_HOUR = 3600.0
_LIKE = 4.0  # how many times its own forecast a trial still tells the pace of
_LATE = 0.1  # share of the time so far that a trial beyond its forecast is taken to need still


@dataclass(frozen=True, slots=True)
class Best:
    """The best test quality of one task so far; one seed, so no more than a hint."""

    trial: str
    metric: MetricName
    quality: float


class Progress:
    """Counts, best quality by task, device-hours and time left of one run. Candidates of searches are counted
    apart from trials: `tuning_ended` of `tuning_total`. `places`: how many trials will run at once, as far as
    that is known; the time left goes by it until so many have started."""

    def __init__(self, trials: Iterable[PlannedTrial] = (), places: int = 1) -> None:
        self._planned = {trial.name: trial for trial in trials}
        self._done_before: int | None = None
        self._waiting = dict.fromkeys(self._planned)
        self._undrawn: tuple[float | None, ...] = ()  # forecast seconds of candidates yet to be drawn
        self._running: dict[str, float] = {}  # name -> since when
        self._widest, self._places = 1, places  # most trials seen running at once, and expected to
        self._begun: set[str] = set()  # all that ever started
        self._ended = dict.fromkeys(TrialState, 0)
        self._candidates_ended = 0
        self._device_seconds = 0.0  # of the attempts that ended
        self._lost: set[str] = set()  # of those that wait: their node is gone
        self._interrupted: set[str] = set()  # that were ever lost: their time gives no pace
        self._attempting: dict[str, float] = {}  # name -> start of the running attempt
        self._told: list[tuple[float, float]] = []  # forecast and actual seconds of finished trials
        self._durations: list[float] = []
        self._now: float | None = None
        self.best: dict[str, Best] = {}
        self.dashboard: DashboardReady | None = None
        self.weights: KeptWeights | None = None
        self._count()

    def _count(self) -> None:
        """Count what only changes with the plan: `update` is called too often to count it each time."""
        trials = self._planned.values()
        self.total = sum(trial.candidate is None for trial in trials)  # candidates left out
        self.tuning_total = len(trials) - self.total + len(self._undrawn)  # those not drawn yet included
        self.unit = "GPU-hours" if any(trial.resources.gpus for trial in trials) else "core-hours"

    @property
    def has_begun(self) -> bool:
        """Return whether a trial has started."""
        return bool(self._begun)

    @property
    def done_before(self) -> int:
        """Trials of the sweep that earlier runs have finished."""
        return self._done_before or 0

    @property
    def tuning_ended(self) -> int:
        return self._candidates_ended

    @property
    def waiting(self) -> int:
        """Trials and candidates that have not started, or were lost and start again."""
        return len(self._waiting) + len(self._undrawn)

    @property
    def lost(self) -> int:
        """Return the part of `waiting` whose node is gone."""
        return len(self._lost)

    @property
    def running(self) -> tuple[str, ...]:
        """Return the names of the running trials and candidates, longest running first."""
        return tuple(self._running)

    @property
    def finished(self) -> int:
        return self._ended[TrialState.FINISHED]

    @property
    def failed(self) -> int:
        return self._ended[TrialState.FAILED]

    @property
    def unfinished(self) -> int:
        """Interrupted, to be resumed by the next launch."""
        return self._ended[TrialState.UNFINISHED]

    @property
    def device_hours(self) -> float:
        """Return allocated devices x wall time, running attempts included."""
        seconds = self._device_seconds
        for name, since in self._attempting.items():
            seconds += max(0.0, (self._now or since) - since) * self._planned[name].resources.devices
        return seconds / _HOUR

    @property
    def seconds_left(self) -> float | None:
        """Return the seconds forecast for what is left, times actual over forecast so far, shared among the
        places.

        None until there is a forecast or a finished trial to go by; 0 where nothing is left.
        """
        paces = self._paces()
        left = [self._expected(self._planned[name].seconds_left, paces) for name in self._waiting]
        left += [self._expected(forecast, paces) for forecast in self._undrawn]
        for name, since in self._running.items():
            expected = self._expected(self._planned[name].seconds_left, paces)
            took = (self._now or since) - since
            left.append(None if expected is None else max(expected - took, _LATE * took))
        forecasts = [seconds for seconds in left if seconds is not None]
        if len(forecasts) < len(left):
            return None
        at_once = max(self._widest, self._places if len(self._begun) < self._places else 1)
        return max(sum(forecasts) / at_once, max(forecasts, default=0.0))

    def _paces(self) -> tuple[list[float], list[float]]:
        """Return forecasts, shortest first, and actual over forecast seconds of all from each on: of finished
        trials, and of running ones that are late."""
        told = list(self._told)
        for name, since in self._running.items():
            expected, took = self._planned[name].seconds_left, (self._now or since) - since
            if expected and took > expected and name not in self._interrupted:
                told.append((expected, took))
        told.sort()
        forecast = actual = 0.0
        paces = list[float]()
        for expected, took in reversed(told):
            forecast, actual = forecast + expected, actual + took
            paces.append(actual / forecast)
        return [expected for expected, _ in told], paces[::-1]

    def _expected(self, forecast: float | None, paces: tuple[list[float], list[float]]) -> float | None:
        """Return the forecast times the pace of trials that are as long or longer, or not much shorter: what
        delays a short one is often its start, which says nothing of a long one."""
        if forecast is None:
            return sum(self._durations) / len(self._durations) if self._durations else None
        first = bisect_left(paces[0], forecast / _LIKE)
        return forecast * paces[1][first] if first < len(paces[1]) else forecast

    def update(self, event: LaunchEvent) -> None:
        if isinstance(event, DashboardReady):
            self.dashboard = event
            return
        if isinstance(event, RunPlanned):
            self._plan(event)
            return
        if isinstance(event, WeightsChosen):
            self.weights = event.weights or self.weights
            return
        self._now = max(self._now or event.at, event.at)
        if isinstance(event, TrialStarted | TrialWentOn):
            self._begun.add(event.name)
            self._waiting.pop(event.name, None)
            self._lost.discard(event.name)
            self._running[event.name] = self._attempting[event.name] = event.at
            self._widest = max(self._widest, len(self._running))
        elif isinstance(event, TrialLost):
            self._running.pop(event.name, None)
            self._attempting.pop(event.name, None)
            self._waiting[event.name] = None
            self._lost.add(event.name)
            self._interrupted.add(event.name)
        elif isinstance(event, AttemptEnded):
            self._device_seconds += event.bill.device_seconds
            self._attempting[event.name] = event.at
            self._note_quality(event.name, event.outcome)
        elif isinstance(event, TrialEnded):
            self._end(event)

    def _plan(self, event: RunPlanned) -> None:
        """Trials that never started and are planned no longer are forgotten: their search found nothing."""
        if self._done_before is None:
            self._done_before = event.up_to_date
        for name in self._waiting:
            del self._planned[name]
        fresh = [trial for trial in event.trials if trial.name not in self._planned]
        self._planned.update((trial.name, trial) for trial in fresh)
        self._waiting = dict.fromkeys(trial.name for trial in fresh)
        self._undrawn = event.undrawn
        self._count()

    def _end(self, event: TrialEnded) -> None:
        self._waiting.pop(event.name, None)
        self._attempting.pop(event.name, None)
        self._lost.discard(event.name)
        since = self._running.pop(event.name, None)
        if self._planned[event.name].candidate is None:
            self._ended[event.state] += 1
        else:
            self._candidates_ended += 1
        if event.state is TrialState.FINISHED and since is not None:
            forecast = 0.0 if event.name in self._interrupted else self._planned[event.name].seconds_left
            self._durations.append(event.at - since)
            if forecast:
                self._told.append((forecast, event.at - since))

    def _note_quality(self, name: str, outcome: Outcome) -> None:
        value = quality(outcome.metric, outcome.test)
        task = self._planned[name].cell.task
        if value is not None and (task not in self.best or value > self.best[task].quality):
            self.best[task] = Best(trial=name, metric=outcome.metric, quality=value)
