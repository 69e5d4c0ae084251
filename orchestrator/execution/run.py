"""The run loop: hold the ledger, write down the sweep, launch what must run, keep the view up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol

from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.sweep import PlannedTrial, SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.clock import Clock
from orchestrator.execution.launcher import (
    AttemptEnded,
    Launcher,
    LaunchEvent,
    Notify,
    TrialEnded,
    TrialOrder,
)
from orchestrator.planning import Plan


class RecordBook(Protocol):
    """What the loop needs of the ledger."""

    def lock(self) -> AbstractContextManager[None]: ...
    def write_sweep(self, record: SweepRecord) -> None: ...
    def trial(self, planned: PlannedTrial) -> TrialRecord: ...
    def trials(self) -> Iterator[TrialRecord]: ...


class View(Protocol):
    """What the loop needs of MLflow. `publish` is idempotent and doesn't raise where the server is down."""

    def publish(self, record: TrialRecord) -> bool: ...


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What this run did; the totals of the sweep are the ledger's."""

    up_to_date: int
    finished: int
    failed: int
    attempts: int
    device_hours: float
    wall_seconds: float


def orders(plan: Plan) -> list[TrialOrder]:
    """The trials that must run, longest first."""
    return [
        TrialOrder(plan.spec(item.trial), item.trial.resources, item.trial.predicted_seconds)
        for item in plan.to_run
    ]


def run_sweep(
    plan: Plan,
    record: SweepRecord,
    *,
    ledger: RecordBook,
    launcher: Launcher,
    view: View | None,
    notify: Notify,
    clock: Clock,
) -> RunSummary:
    """Run what the plan says must run. `record` is the plan's, `view` None publishes nothing.

    Raises LedgerError where another driver is at work on the sweep, LaunchError where nothing can be started,
    and KeyboardInterrupt where the user stopped it: the records are intact, and the same call resumes.
    """
    tally = _Tally()
    with ledger.lock():
        ledger.write_sweep(record)
        started = clock.now()
        with _publishing(view, ledger, plan) as publisher:

            def hear(event: LaunchEvent) -> None:
                tally.add(event)
                publisher.hear(event)
                notify(event)

            launcher.run(orders(plan), hear)
    return RunSummary(
        up_to_date=len(plan.up_to_date),
        finished=tally.states.count(TrialState.FINISHED),
        failed=tally.states.count(TrialState.FAILED),
        attempts=tally.attempts,
        device_hours=tally.device_seconds / 3600,
        wall_seconds=clock.now() - started,
    )


class _Tally:
    def __init__(self) -> None:
        self.states: list[TrialState] = []
        self.attempts, self.device_seconds = 0, 0.0

    def add(self, event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded):
            self.states.append(event.state)
        elif isinstance(event, AttemptEnded):
            self.attempts += 1
            self.device_seconds += (event.bill.released_at - event.bill.allocated_at) * event.bill.devices


class _Publisher:
    """Publishes in a thread of its own: a slow tracking server must not hold up the launcher."""

    def __init__(self, view: View | None, ledger: RecordBook, trials: Iterable[PlannedTrial]) -> None:
        self._view, self._ledger = view, ledger
        self._planned = {trial.name: trial for trial in trials}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish")

    def hear(self, event: LaunchEvent) -> None:
        if self._view is not None and isinstance(event, TrialEnded):
            self._thread.submit(self._publish, self._planned[event.name])

    def _publish(self, planned: PlannedTrial) -> None:
        if self._view is not None:
            self._view.publish(self._ledger.trial(planned))

    def finish(self, everything: bool) -> None:
        """Wait for what is under way. `everything` publishes all trials again, so that what a killed driver
        had finished and not published gets its run too."""
        self._thread.shutdown(wait=True, cancel_futures=everything)
        if self._view is not None and everything:
            for record in self._ledger.trials():
                self._view.publish(record)


@contextmanager
def _publishing(view: View | None, ledger: RecordBook, plan: Plan) -> Iterator[_Publisher]:
    publisher = _Publisher(view, ledger, plan.trials)
    completed = False
    try:
        yield publisher
        completed = True
    finally:
        publisher.finish(everything=completed)
