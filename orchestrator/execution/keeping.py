"""Choosing which whole models stay while trials run, in a thread: deleting must not delay the launcher."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from orchestrator.contracts.kept_weights import KeptWeights
from orchestrator.contracts.sweep import PlannedTrial, SweepRecord
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import FrontierError
from orchestrator.execution.launcher import LaunchEvent, TrialEnded, WeightsChosen

_STUCK = (
    "no more weights are dropped in this run: {}\n"
    "    -> check that the driver may delete files of the sweep; the next run drops them"
)


class Keeper(Protocol):
    """Chooses from the ledger and deletes the rest. Idempotent. Raises FrontierError, OSError."""

    def follow(self, sweep: SweepRecord) -> KeptWeights:
        """Choose among all trials of this record."""

    def ended(self, trials: Sequence[PlannedTrial]) -> KeptWeights:
        """Choose again, after these trials have ended and their outcomes are in the ledger."""

    def finish(self) -> KeptWeights:
        """Choose again at the end of the run, after which no failed trial is retried."""


class Keeping:
    """Hands the trials that have ended to the keeper, several at once where it falls behind."""

    def __init__(self, keeper: Keeper | None) -> None:
        self._keeper = keeper
        self._planned: dict[str, PlannedTrial] = {}
        self._work: queue.SimpleQueue[SweepRecord | PlannedTrial | None] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[WeightsChosen] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weights", daemon=True)
        if keeper is not None:
            self._thread.start()

    def expect(self, trials: Iterable[PlannedTrial]) -> None:
        """They are launched next."""
        self._planned.update((trial.name, trial) for trial in trials)

    def follow(self, record: SweepRecord) -> None:
        self._work.put(record)

    def hear(self, event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded) and event.state is not TrialState.UNFINISHED:
            planned = self._planned[event.name]
            if planned.candidate is None:
                self._work.put(planned)

    def news(self) -> Iterator[WeightsChosen]:
        """Yield what was chosen since the last call."""
        while not self._news.empty():
            yield self._news.get()

    def finish(self, everything: bool) -> None:
        """Wait for what is under way; with `everything`, for all that has ended as well."""
        if not everything:
            self._stopped.set()
        if self._keeper is not None:
            self._work.put(None)
            self._thread.join()

    def _run(self) -> None:
        assert self._keeper is not None
        last = False
        while not last:
            items = [self._work.get()]
            while not self._work.empty():
                items.append(self._work.get())
            last = None in items
            if self._stopped.is_set():
                return
            records = [item for item in items if isinstance(item, SweepRecord)]
            ended = [item for item in items if isinstance(item, PlannedTrial)]
            try:
                if records:
                    self._news.put(WeightsChosen(self._keeper.follow(records[-1])))
                elif ended:
                    self._news.put(WeightsChosen(self._keeper.ended(ended)))
                if last:
                    self._news.put(WeightsChosen(self._keeper.finish()))
            except (FrontierError, OSError) as failed:
                self._news.put(WeightsChosen(None, _STUCK.format(failed)))
                return


@contextmanager
def keeping(keeper: Keeper | None) -> Iterator[Keeping]:
    """At the end all that has ended is chosen from, unless the run was ended by an error."""
    work, completed = Keeping(keeper), False
    try:
        yield work
        completed = True
    finally:
        work.finish(everything=completed)
