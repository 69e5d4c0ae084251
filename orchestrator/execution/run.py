"""The run loop: hold the ledger, write down the sweep, search, launch what must run, keep the view up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from orchestrator.contracts.device import DeviceKind
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.budget_guard import Allowance
from orchestrator.execution.clock import Clock
from orchestrator.execution.cluster_meter import ClusterMeter, HeldBook
from orchestrator.execution.keeping import Keeper, Keeping, keeping
from orchestrator.execution.launcher import (
    AttemptEnded,
    Launcher,
    LaunchEvent,
    Notify,
    RunPlanned,
    TrialEnded,
    TrialOrder,
)
from orchestrator.execution.publishing import Publisher, Records, View, publishing
from orchestrator.planning import Plan, ToRun


class RecordBook(Records, HeldBook, Protocol):
    """What the loop needs of the ledger."""

    def lock(self) -> AbstractContextManager[None]: ...
    def write_sweep(self, record: SweepRecord) -> SweepRecord: ...
    def history(self, names: Iterable[str] | None = None) -> dict[str, TrialHistory]: ...


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What this run did; the totals of the sweep are the ledger's.

    Trials and candidates are counted separately: a failed candidate is no failure of the sweep.
    """

    up_to_date: int
    finished: int
    failed: int
    candidates: int  # that ended, however
    not_run: tuple[str, ...]  # cells whose search found no settings for their trials, each with the reason
    attempts: int
    device_hours: float
    wall_seconds: float
    held: bool = False  # whether trials were held back, as the budget was spent
    faulty: tuple[str, ...] = ()  # machines where a GPU failed in an attempt, each once
    elsewhere: tuple[tuple[str, str], ...] = ()  # device planned for, product of the GPU that it ran on


def run_sweep(
    plan: Plan,
    record: SweepRecord,
    *,
    ledger: RecordBook,
    launcher: Launcher,
    view: View | None,
    notify: Notify,
    clock: Clock,
    allowance: Allowance | None = None,
    keeper: Keeper | None = None,
) -> RunSummary:
    """Run what the plan says must run. `record` is the plan's, `view` None publishes nothing. With an
    `allowance` no trial begins that would go beyond it. `keeper` drops weights while trials run, None none.

    Searches come first, a round of all of them at a time: each round is planned from the ledger, as are then
    the trials that waited for them. Raises LedgerError if another driver runs the sweep, LaunchError where
    nothing can be started, and KeyboardInterrupt where the user stopped it: the records are intact, and the
    same call resumes.
    """
    started = clock.now()
    with ledger.lock(), launcher.session():
        record = ledger.write_sweep(record)
        with publishing(view, ledger) as publisher, keeping(keeper) as weights:
            publisher.follow(record)
            weights.follow(record)
            run = _Run(ledger, launcher, publisher, weights, notify, allowance)
            plan = run.search(plan, record)
            run.launch(plan, plan.ready)
        for chosen in weights.news():
            notify(chosen)
    return run.summary(plan, clock.now() - started)


class _Run:
    def __init__(
        self,
        ledger: RecordBook,
        launcher: Launcher,
        publisher: Publisher,
        weights: Keeping,
        notify: Notify,
        allowance: Allowance | None,
    ) -> None:
        self._ledger, self._launcher, self._allowance = ledger, launcher, allowance
        self._publisher, self._weights = publisher, weights
        self._notify, self._meter = notify, ClusterMeter(ledger)
        self._tried: set[str] = set()  # candidates launched by this run: none of them is launched twice
        self._states: list[TrialState] = []
        self._candidates = self._attempts = 0
        self._device_seconds = 0.0
        self._faulty: dict[str, None] = {}
        self._elsewhere: dict[tuple[str, str], None] = {}
        self._planned: dict[str, DeviceKind] = {}  # by trial, where the plan chose for a device

    def search(self, plan: Plan, record: SweepRecord) -> Plan:
        """Round after round; the plan in which every search is as far as this run can bring it."""
        while batch := [item for item in plan.candidates_to_run if item.trial.name not in self._tried]:
            self.launch(plan, batch)
            plan = plan.again(self._ledger.history(item.trial.name for item in batch))
            record = plan.record(
                written_at=record.written_at,
                frontier_version=record.frontier_version,
                provenance=record.provenance,
            )
            record = self._ledger.write_sweep(record)
            self._publisher.follow(record)
            self._weights.follow(record)
        return plan

    def launch(self, plan: Plan, items: Sequence[ToRun]) -> None:
        self._publisher.expect(item.trial for item in items)
        self._weights.expect(item.trial for item in items)
        self._notify(ahead(plan, self._tried))
        self._tried |= {item.trial.name for item in items if item.trial.candidate is not None}
        ordered = orders(plan, items)
        kinds = plan.sweep.catalogue.devices
        for order in ordered:
            if order.resources.device in kinds:
                self._planned[order.name] = kinds[order.resources.device]
        if self._allowance is None:
            self._launcher.run(ordered, self._hear)
            return
        self._allowance.expect(ordered)
        self._launcher.run(ordered, self._hear, self._allowance.hold)

    def _hear(self, event: LaunchEvent) -> None:
        self._meter.hear(event)
        if self._allowance is not None:
            self._allowance.hear(event)
        if isinstance(event, TrialEnded) and event.name in self._tried:
            self._candidates += 1
        elif isinstance(event, TrialEnded):
            self._states.append(event.state)
        elif isinstance(event, AttemptEnded):
            self._attempts += 1
            self._look_at_gpu(event)
            self._device_seconds += event.bill.device_seconds
        self._publisher.hear(event)
        self._weights.hear(event)
        self._notify(event)
        for chosen in self._weights.news():
            self._notify(chosen)

    def _look_at_gpu(self, event: AttemptEnded) -> None:
        failure, device = event.outcome.failure, event.outcome.device
        if failure is not None and failure.machine is not None:
            self._faulty[failure.machine] = None
        planned = self._planned.get(event.name)
        if planned is not None and device is not None and not planned.is_product(device.type):
            self._elsewhere[planned.name, device.type] = None

    def summary(self, plan: Plan, wall_seconds: float) -> RunSummary:
        return RunSummary(
            up_to_date=len(plan.up_to_date),
            finished=self._states.count(TrialState.FINISHED),
            failed=self._states.count(TrialState.FAILED),
            candidates=self._candidates,
            not_run=tuple(_not_run(plan)),
            attempts=self._attempts,
            device_hours=self._device_seconds / 3600,
            wall_seconds=wall_seconds,
            held=self._allowance is not None and self._allowance.held,
            faulty=tuple(self._faulty),
            elsewhere=tuple(self._elsewhere),
        )


def orders(plan: Plan, items: Iterable[ToRun]) -> list[TrialOrder]:
    """Return the orders for trials or candidates of the plan."""
    return [
        TrialOrder(plan.spec(item.trial), item.trial.resources, item.trial.seconds_left) for item in items
    ]


def ahead(plan: Plan, tried: Iterable[str] = ()) -> RunPlanned:
    """Return what a run does next and later. `tried` holds the candidates that it has launched already; a
    search that waits for one of them goes no further in this run, and neither do its trials."""
    going = [s for s in plan.searches if {c.trial.name for c in s.to_run}.difference(tried)]
    cells = {search.cell.cell.name for search in going}
    later = [forecast for search in going for part in search.ahead[1:] for forecast in part]
    return RunPlanned(
        trials=(
            *(candidate.trial for search in going for candidate in search.to_run),
            *(i.trial for i in plan.to_run if i.reason != "waiting" or i.trial.cell.name in cells),
        ),
        undrawn=tuple(None if forecast is None else forecast.seconds for forecast in later),
        up_to_date=len(plan.up_to_date),
    )


def _not_run(plan: Plan) -> Iterator[str]:
    for search in plan.searches:
        name = search.cell.cell.name
        if search.problem is not None:
            yield f"{name}: {search.problem}"
        elif search.tuned is None:
            yield f"{name}: its search lacks {search.left} candidates; the same command continues from here"
