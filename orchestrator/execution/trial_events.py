"""Turns a scheduler's reports on its trials into launch events: each trial ends exactly once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.attempt_end import abandon_attempt, close_attempt
from orchestrator.execution.attempt_records import open_orders, outcomes_since
from orchestrator.execution.clock import Clock
from orchestrator.execution.exit_reasons import Ending
from orchestrator.execution.launcher import (
    AttemptEnded,
    Hold,
    LaunchEvent,
    Notify,
    Tick,
    TrialEnded,
    TrialLost,
    TrialOrder,
    TrialStarted,
    TrialWentOn,
    Workplace,
    never,
)
from orchestrator.execution.retries import NextStep, RetryPolicy, next_step
from orchestrator.execution.uploads import DriverDelivery

_TICK_SECONDS = 1.0
_COUNT_SECONDS = 15.0  # between two counts of the cluster's GPUs


@dataclass(frozen=True, slots=True)
class Job:
    """A trial, and the number of its last attempt before this launch: later ones belong to the launch."""

    trial: TrialOrder
    before: int


def uncounted() -> None:
    """Ignore how many GPUs the cluster has."""


class TrialFeed:
    """Jobs go by their index. Events wait until `hand_on`: nothing of ours runs inside the scheduler."""

    def __init__(
        self,
        jobs: Sequence[Job],
        workplace: Workplace,
        policy: RetryPolicy,
        notify: Notify,
        clock: Clock,
        hold: Hold = never,
        gpus: Callable[[], float | None] = uncounted,
    ) -> None:
        """`gpus` is the number in the cluster now, None if it is unknown or irrelevant."""
        self.hold, self._gpus = hold, gpus
        self._counted = -math.inf  # when the GPUs were last asked for
        self._jobs, self._workplace, self._policy, self._notify, self._clock = (
            jobs,
            workplace,
            policy,
            notify,
            clock,
        )
        self._delivery = DriverDelivery(workplace)
        self._started: set[int] = set()
        self._ended: set[int] = set()
        self._lost: set[int] = set()
        self._events: list[LaunchEvent] = []
        self._ticked = clock.now()

    def started(self, job: int, where: str) -> None:
        """Report the start; it is reported again when a lost trial resumes."""
        name, now = self._jobs[job].trial.name, self._clock.now()
        if job not in self._started:
            self._started.add(job)
            self._events.append(TrialStarted(name, now, where))
        elif job in self._lost:
            self._lost.remove(job)
            self._events.append(TrialWentOn(name, now))

    def attempt_ended(self, job: int, outcome: str, bill: str) -> None:
        """`outcome` and `bill` as JSON, as they came over the wire."""
        ended = Outcome.model_validate_json(outcome)
        self._delivery.arrived(self._jobs[job].trial.name, ended.attempt, outcome, bill)
        self._tell_attempt(job, ended, Bill.model_validate_json(bill))

    def _tell_attempt(self, job: int, outcome: Outcome, bill: Bill) -> None:
        self._events.append(AttemptEnded(self._jobs[job].trial.name, self._clock.now(), outcome, bill))

    def lost(self, job: int) -> None:
        """Close the attempts that a lost process left open."""
        now = self._clock.now()
        self._delivery.refresh(self._jobs[job].trial.name)
        for order in open_orders(self._workplace, self._jobs[job].trial.name, self._jobs[job].before):
            closed = close_attempt(order, Ending(code=None), now)
            self._delivery.closed(Path(order.directory))
            self._tell_attempt(job, *closed)
        if job in self._started - self._ended - self._lost:
            self._lost.add(job)
            self._events.append(TrialLost(self._jobs[job].trial.name, now))

    def ended(self, job: int) -> None:
        """FINISHED where an attempt of this launch finished, else FAILED."""
        if job in self._ended:
            return
        self._ended.add(job)
        name, before = self._jobs[job].trial.name, self._jobs[job].before
        step = next_step(outcomes_since(self._workplace, name, before), self._policy)
        state = TrialState.FINISHED if step is NextStep.FINISHED else TrialState.FAILED
        self._events.append(TrialEnded(name, self._clock.now(), state))

    @property
    def all_ended(self) -> bool:
        return len(self._ended) == len(self._jobs)

    def hand_on(self) -> None:
        """Notify of all events so far, and of a tick if the last one is long past."""
        events, self._events = self._events, []
        now = self._clock.now()
        if now - self._ticked >= _TICK_SECONDS:
            self._ticked = now
            events.append(self._tick(now))
        for event in events:
            self._notify(event)

    def _tick(self, now: float) -> Tick:
        if now - self._counted < _COUNT_SECONDS:
            return Tick(now)
        self._counted = now
        return Tick(now, self._gpus())

    def close(self) -> None:
        """End the trials that the scheduler dropped without a word, or never began as they were held back."""
        for job in range(len(self._jobs)):
            if job not in self._started and self.hold():
                self._ended.add(job)
                name = self._jobs[job].trial.name
                self._events.append(TrialEnded(name, self._clock.now(), TrialState.UNFINISHED))
            elif job not in self._ended:
                self.lost(job)
                self.ended(job)
        self.hand_on()

    def interrupt(self) -> None:
        """Bill the running attempts, whose processes have ended by now, and leave their trials unfinished."""
        now = self._clock.now()
        for job in sorted(self._started - self._ended):
            name = self._jobs[job].trial.name
            self._delivery.refresh(name)
            for order in open_orders(self._workplace, name, self._jobs[job].before):
                abandon_attempt(order, now)
                self._delivery.closed(Path(order.directory))
            self._ended.add(job)
            self._events.append(TrialEnded(name, now, TrialState.UNFINISHED))
        self.hand_on()
