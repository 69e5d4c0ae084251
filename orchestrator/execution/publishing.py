"""Keeping the view up while trials run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Protocol

from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.sweep import PlannedTrial, SweepRecord
from orchestrator.execution.launcher import LaunchEvent, TrialEnded


class Records(Protocol):
    """What publishing needs of the ledger."""

    def trial(self, planned: PlannedTrial) -> TrialRecord: ...
    def trials(self) -> Iterator[TrialRecord]: ...
    def candidates(self) -> Iterator[TrialRecord]: ...


class View(Protocol):
    """What the loop needs of MLflow. `publish` is idempotent and doesn't raise where the server is down."""

    def follow(self, sweep: SweepRecord) -> None:
        """Publish to this record from now on."""

    def publish(self, record: TrialRecord) -> bool: ...


class Publisher:
    """Publishes in a thread of its own: a slow tracking server must not hold up the launcher."""

    def __init__(self, view: View | None, ledger: Records) -> None:
        self._view, self._ledger = view, ledger
        self._planned: dict[str, PlannedTrial] = {}
        self._newest: SweepRecord | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish")

    def expect(self, trials: Iterable[PlannedTrial]) -> None:
        """They are launched next."""
        self._planned.update((trial.name, trial) for trial in trials)

    def follow(self, record: SweepRecord) -> None:
        """Switch to this record, in the order of events: a run belongs to the record that its trial was
        launched under."""
        self._newest = record
        if self._view is not None:
            self._thread.submit(self._view.follow, record)

    def hear(self, event: LaunchEvent) -> None:
        if self._view is not None and isinstance(event, TrialEnded):
            self._thread.submit(self._publish, self._planned[event.name])

    def _publish(self, planned: PlannedTrial) -> None:
        if self._view is not None:
            self._view.publish(self._ledger.trial(planned))

    def finish(self, everything: bool) -> None:
        """Wait for what is under way. `everything` publishes all trials and candidates again, so that what a
        killed driver had finished and not published gets its run too."""
        self._thread.shutdown(wait=True, cancel_futures=everything)
        if self._view is None or not everything:
            return
        if self._newest is not None:
            self._view.follow(self._newest)
        for record in chain(self._ledger.candidates(), self._ledger.trials()):
            self._view.publish(record)


@contextmanager
def publishing(view: View | None, ledger: Records) -> Iterator[Publisher]:
    publisher = Publisher(view, ledger)
    completed = False
    try:
        yield publisher
        completed = True
    finally:
        publisher.finish(everything=completed)
