"""Where device time went. Pure: from records to device-seconds; nothing is counted twice over a resume."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from orchestrator.contracts.ledger import (
    CPU,
    UNKNOWN_GPU,
    AttemptRecord,
    Spending,
    Totals,
    TrialRecord,
    Use,
    decisive,
)
from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Source, TrialState
from orchestrator.tracking.bookings import Booking, bookings_of


def allocated_devices(resources: Resources, outcome: Outcome | None, bill: Bill | None) -> tuple[str, float]:
    """Device type and allocated devices: from the bill, else as the worker saw them, else as ordered."""
    if bill is not None:
        return bill.device_type, bill.devices
    if outcome is not None and outcome.device is not None:
        return outcome.device.type, outcome.device.count
    return (UNKNOWN_GPU if resources.gpus else CPU), resources.devices


def billed_seconds(
    devices: float, ordered_at: float, outcome: Outcome | None, bill: Bill | None, heartbeat: float | None
) -> tuple[float | None, Source]:
    """Device-seconds of one attempt: allocated devices x wall, or the time from its order, where a bill
    begins as well, to its last sign of life, the `heartbeat` (Unix time) or its end."""
    if bill is not None:
        return max(0.0, bill.wall_seconds) * devices, Source.MEASURED
    times = [] if heartbeat is None else [heartbeat]
    if outcome is not None:
        times.append(outcome.ended_at)
    if not times:
        return None, Source.MISSING
    return max(0.0, max(times) - ordered_at) * devices, Source.ESTIMATED


def state_of(attempts: Sequence[AttemptRecord], fingerprint: str) -> TrialState:
    """Return the state of a planned trial from its attempts, oldest first."""
    current = tuple(a for a in attempts if a.fingerprint == fingerprint)
    if not current:
        return TrialState.STALE if attempts else TrialState.NEW
    attempt = decisive(current)
    if attempt is not None and attempt.outcome is not None and attempt.outcome.state == "finished":
        return TrialState.FINISHED
    return TrialState.UNFINISHED if current[-1].outcome is None else TrialState.FAILED


def spending_of(
    attempts: Sequence[AttemptRecord], fingerprint: str, *, candidate: bool = False
) -> tuple[Spending, ...]:
    """One Spending a device type, by name of the type: the books (`bookings_of`), summed up."""
    books = bookings_of(attempts, fingerprint, state_of(attempts, fingerprint), candidate=candidate)
    return tuple(_spending(kind, books) for kind in sorted({a.device_type for a in attempts}))


def _spending(device_type: str, books: Iterable[Booking]) -> Spending:
    here = [b for b in books if b.attempt.device_type == device_type]

    def seconds(chosen: Callable[[Booking], bool]) -> float:
        return sum(b.microseconds for b in here if chosen(b)) / 1_000_000

    def into(use: Use) -> float:
        return seconds(lambda b: b.use is use)

    return Spending(
        device_type=device_type,
        billed=seconds(lambda b: True),
        wasted=seconds(lambda b: b.use in (Use.FAILED, Use.PREEMPTED)),
        useful=into(Use.USEFUL),
        overhead=into(Use.OVERHEAD),
        preempted=into(Use.PREEMPTED),
        unfinished=into(Use.UNFINISHED),
        superseded=into(Use.SUPERSEDED),
        tuning=into(Use.TUNING),
        unexplained=seconds(lambda b: b.phase is None),
        estimated=seconds(lambda b: b.attempt.source is Source.ESTIMATED),
    )


def add_up(spendings: Iterable[Spending]) -> tuple[Spending, ...]:
    """Return sums by device type, sorted by its name."""
    sums: dict[str, dict[str, float]] = {}
    for spending in spendings:
        figures = spending.model_dump(exclude={"device_type"})
        into = sums.setdefault(spending.device_type, dict.fromkeys(figures, 0.0))
        for key, value in figures.items():
            into[key] += value
    return tuple(Spending(device_type=kind, **sums[kind]) for kind in sorted(sums))


class Tally:
    """Totals of a sweep, one record at a time: 10,000 of them need not be in memory at once."""

    def __init__(self) -> None:
        self._states = dict.fromkeys(TrialState, 0)
        self._attempts = self._without_cost = 0
        self._spending: tuple[Spending, ...] = ()

    def add(self, record: TrialRecord, planned: bool = True) -> None:
        """Candidates of searches, and trials on disk that the grid no longer holds, are not `planned`: only
        their cost counts."""
        self._states[record.state] += planned
        self._attempts += len(record.attempts)
        self._without_cost += sum(a.source is Source.MISSING for a in record.attempts)
        self._spending = add_up((*self._spending, *record.spending))

    def totals(self, refused_cells: int) -> Totals:
        return Totals(
            trials=dict(self._states),
            refused_cells=refused_cells,
            attempts=self._attempts,
            attempts_without_cost=self._without_cost,
            spending=self._spending,
        )


def totals_of(
    trials: Iterable[TrialRecord], refused_cells: int, beside: Iterable[TrialRecord] = ()
) -> Totals:
    """Return sums over the planned trials, and the cost of what is `beside` them: candidates and removed
    trials."""
    tally = Tally()
    for record in trials:
        tally.add(record)
    for record in beside:
        tally.add(record, planned=False)
    return tally.totals(refused_cells)
