"""Whole sweeps in virtual time: the same records, the same retries, and nothing is trained."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.contracts import layout
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.metrics import MetricValue
from orchestrator.contracts.outcome import Device, Failure, Outcome
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase, Precision, TrialState
from orchestrator.execution.attempt_end import abandon_attempt, close_attempt
from orchestrator.execution.attempts import open_attempt
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.exit_reasons import Ending
from orchestrator.execution.interrupts import interrupts
from orchestrator.execution.launcher import (
    AttemptEnded,
    Hold,
    Notify,
    Tick,
    TrialEnded,
    TrialOrder,
    TrialStarted,
    Workplace,
    in_order,
    never,
)
from orchestrator.execution.retries import NextStep, RetryPolicy, next_step

_SECONDS_WITHOUT_FORECAST = 60.0
_NOTHING_TRAINED = "simulated: nothing was trained"


@dataclass(frozen=True, slots=True)
class SimulatedAttempt:
    """How long it takes (seconds), how it ends, and what it leaves behind.

    A failure of kind PREEMPTED leaves no outcome, as a killed child would. `value` is that of the task's
    metric on both splits, of a candidate on dev; None: missing. `checkpoint_step` leaves a complete
    checkpoint behind.
    """

    seconds: float
    failure: FailureKind | None = None
    value: float | None = None
    checkpoint_step: int | None = None


Script = Callable[[TrialOrder, AttemptOrder], SimulatedAttempt]


def as_forecast(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
    """Finish every attempt after the seconds forecast for it. Candidates all score the same, so that their
    search comes to an end."""
    value = None if trial.spec.candidate is None else 0.0
    return SimulatedAttempt(trial.forecast_seconds or _SECONDS_WITHOUT_FORECAST, value=value)


@dataclass(slots=True)
class _Running:
    trial: TrialOrder
    order: AttemptOrder
    plan: SimulatedAttempt
    outcomes: list[Outcome] = field(default_factory=list)


class SimulatedLauncher:
    """`slots` trials at once, whatever their resources. `clock` is moved on as attempts end."""

    def __init__(
        self,
        workplace: Workplace,
        policy: RetryPolicy,
        *,
        slots: int,
        script: Script = as_forecast,
        clock: VirtualClock | None = None,
    ) -> None:
        self._workplace, self._policy, self._slots, self._script = workplace, policy, slots, script
        self._clock = clock or VirtualClock()

    def run(self, trials: Sequence[TrialOrder], notify: Notify, hold: Hold = never) -> None:
        waiting = deque(in_order(trials))
        running: dict[int, _Running] = {}  # by slot
        ends: list[tuple[float, int]] = []  # when, and in which slot
        with interrupts() as pending:
            try:
                while ends or waiting:
                    while waiting and len(running) < self._slots:
                        if hold():
                            for left in waiting:
                                notify(TrialEnded(left.name, self._clock.now(), TrialState.UNFINISHED))
                            waiting.clear()
                            break
                        free = next(slot for slot in range(self._slots) if slot not in running)
                        trial = waiting.popleft()
                        running[free] = self._open(trial, [])
                        heapq.heappush(ends, (self._clock.now() + running[free].plan.seconds, free))
                        notify(TrialStarted(trial.name, self._clock.now(), f"simulated slot {free + 1}"))
                    pending.check()
                    if not ends:
                        break
                    at, slot = heapq.heappop(ends)
                    self._clock.advance_to(at)
                    notify(Tick(at))
                    self._close(running[slot], notify)
                    step = next_step(running[slot].outcomes, self._policy)
                    if step is NextStep.ATTEMPT:
                        running[slot] = self._open(running[slot].trial, running[slot].outcomes)
                        heapq.heappush(ends, (at + running[slot].plan.seconds, slot))
                    else:
                        state = TrialState.FINISHED if step is NextStep.FINISHED else TrialState.FAILED
                        notify(TrialEnded(running.pop(slot).trial.name, at, state))
            except KeyboardInterrupt:
                self._stop(running.values(), notify)
                raise

    def session(self) -> AbstractContextManager[None]:
        """Nothing to share: virtual slots cost nothing."""
        return nullcontext()

    def _open(self, trial: TrialOrder, outcomes: list[Outcome]) -> _Running:
        order = open_attempt(self._workplace, trial, self._clock.now())
        return _Running(trial, order, self._script(trial, order), outcomes)

    def _close(self, running: _Running, notify: Notify) -> None:
        now, plan, directory = self._clock.now(), running.plan, Path(running.order.directory)
        if plan.checkpoint_step is not None:
            (directory / layout.CHECKPOINTS / layout.checkpoint_name(plan.checkpoint_step)).mkdir(
                parents=True
            )
        if plan.failure is not FailureKind.PREEMPTED:
            simulated = _outcome(running, now)
            write_atomically(directory / layout.OUTCOME, simulated.model_dump_json(indent=1) + "\n")
        outcome, bill = close_attempt(running.order, Ending(code=None), now)
        running.outcomes.append(outcome)
        notify(AttemptEnded(running.trial.name, now, outcome, bill))

    def _stop(self, running: Iterable[_Running], notify: Notify) -> None:
        now = self._clock.now()
        for left in running:
            if not any(outcome.attempt == left.order.attempt for outcome in left.outcomes):
                abandon_attempt(left.order, now)
            notify(TrialEnded(left.trial.name, now, TrialState.UNFINISHED))


def _outcome(running: _Running, now: float) -> Outcome:
    order, plan = running.order, running.plan
    spec = order.trial
    value = MetricValue(missing=_NOTHING_TRAINED) if plan.value is None else MetricValue(value=plan.value)
    scores = {} if plan.failure else {spec.task.metric: value}
    failure = Failure(kind=plan.failure, phase=Phase.TRAIN, message="simulated") if plan.failure else None
    return Outcome(
        trial=spec.name,
        fingerprint=spec.fingerprint,
        attempt=order.attempt,
        state="failed" if failure else "finished",
        failure=failure,
        metric=spec.task.metric,
        test=scores if spec.candidate is None else {},
        dev=scores,
        micro_batch_size=order.pass_size,
        evaluation_batch_size=order.evaluation_size,
        started_at=order.ordered_at,
        ended_at=now,
        phases={Phase.TRAIN: now - order.ordered_at},
        device=Device(
            type="simulated GPU" if order.resources.gpus else CPU,
            count=order.resources.devices,
            precision=Precision.FP32,
            software={},
        ),
    )
