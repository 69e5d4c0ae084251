"""Where device time went. Pure: from records to device-seconds; nothing is counted twice over a resume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.contracts.ledger import (
    CPU,
    UNKNOWN_GPU,
    AttemptRecord,
    Spending,
    Totals,
    TrialRecord,
    decisive,
)
from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.trial import Resources
from orchestrator.contracts.vocabulary import Phase, Source, TrialState

Span = tuple[float, float]  # Unix times of the first and the last sign of life


def device_of(resources: Resources, outcome: Outcome | None, bill: Bill | None) -> tuple[str, float]:
    """Device type and allocated devices: from the bill, else as the worker saw them, else as ordered."""
    if bill is not None:
        return bill.device_type, bill.devices
    if outcome is not None and outcome.device is not None:
        return outcome.device.type, outcome.device.count
    return (UNKNOWN_GPU if resources.gpus else CPU), resources.devices


def billed_seconds(
    devices: float, outcome: Outcome | None, bill: Bill | None, signs: Span | None
) -> tuple[float | None, Source]:
    """Device-seconds of one attempt: allocated devices x wall, or the time between its signs of life."""
    if bill is not None:
        return max(0.0, bill.released_at - bill.allocated_at) * devices, Source.MEASURED
    times = list(signs or ())
    if outcome is not None:
        times += [outcome.started_at, outcome.ended_at]
    if not times:
        return None, Source.MISSING
    return (max(times) - min(times)) * devices, Source.ESTIMATED


def state_of(attempts: Sequence[AttemptRecord], fingerprint: str) -> TrialState:
    """The state of a planned trial from its attempts, oldest first."""
    current = tuple(a for a in attempts if a.fingerprint == fingerprint)
    if not current:
        return TrialState.STALE if attempts else TrialState.NEW
    found = decisive(current)
    if found is not None and found.outcome is not None and found.outcome.state == "finished":
        return TrialState.FINISHED
    return TrialState.UNFINISHED if current[-1].outcome is None else TrialState.FAILED


def spending_of(
    attempts: Sequence[AttemptRecord], fingerprint: str, *, candidate: bool = False
) -> tuple[Spending, ...]:
    """One Spending a device type, by name of the type.

    A candidate of a search gives no result of its own: all it took under its fingerprint is tuning. Otherwise
    useful = (own + inherited phases but START) x devices of the finishing attempt: what the result took once
    work began. overhead = what else that attempt was billed; wasted = the rest under that fingerprint. Useful
    time is booked on the device type that finished the trial and is never more than was billed there: a bill
    that is shorter than the phases by a clock's grain makes no negative waste.
    """
    state = state_of(attempts, fingerprint)
    types = sorted({a.device_type for a in attempts})
    if candidate:
        return tuple(_tuning(kind, attempts, fingerprint) for kind in types)
    return tuple(_spending(kind, attempts, fingerprint, state) for kind in types)


def _tuning(device_type: str, attempts: Sequence[AttemptRecord], fingerprint: str) -> Spending:
    here = [a for a in attempts if a.device_type == device_type]
    billed, under = _billed(here), _billed(a for a in here if a.fingerprint == fingerprint)
    return Spending(
        device_type=device_type,
        billed=billed,
        tuning=under,
        superseded=billed - under,
        estimated=_billed(a for a in here if a.source is Source.ESTIMATED),
    )


def _spending(
    device_type: str, attempts: Sequence[AttemptRecord], fingerprint: str, state: TrialState
) -> Spending:
    here = [a for a in attempts if a.device_type == device_type]
    current = tuple(a for a in here if a.fingerprint == fingerprint)
    billed, under = _billed(here), _billed(current)
    useful = overhead = wasted = unfinished = unexplained = 0.0
    if state is TrialState.FINISHED:
        finisher = decisive(tuple(a for a in attempts if a.fingerprint == fingerprint))
        if finisher is not None and finisher.device_type == device_type:
            useful = min(_work(finisher, inherited=True), under)
            overhead = min(_overhead(finisher), under - useful)
            unexplained = min(_unexplained(finisher), overhead)
        wasted = max(0.0, under - useful - overhead)
    elif state is TrialState.FAILED:
        wasted = under
    else:
        unfinished = under
    return Spending(
        device_type=device_type,
        billed=billed,
        useful=useful,
        overhead=overhead,
        wasted=wasted,
        unfinished=unfinished,
        superseded=billed - under,
        unexplained=unexplained,
        estimated=_billed([a for a in here if a.source is Source.ESTIMATED]),
    )


def _billed(attempts: Iterable[AttemptRecord]) -> float:
    return sum(a.billed_device_seconds or 0.0 for a in attempts)


def _work(attempt: AttemptRecord, *, inherited: bool) -> float:
    """Device-seconds in phases, the start of the process left out: it tells of the host, not of the trial."""
    if attempt.outcome is None:
        return 0.0
    phases = [attempt.outcome.phases, attempt.outcome.inherited_phases if inherited else {}]
    return (
        sum(s for part in phases for phase, s in part.items() if phase is not Phase.START) * attempt.devices
    )


def _overhead(finisher: AttemptRecord) -> float:
    return max(0.0, (finisher.billed_device_seconds or 0.0) - _work(finisher, inherited=False))


def _unexplained(finisher: AttemptRecord) -> float:
    """Billed, yet in none of the attempt's own phases, START included."""
    if finisher.outcome is None or finisher.source is not Source.MEASURED:
        return 0.0
    start = finisher.outcome.phases.get(Phase.START, 0.0) * finisher.devices
    return max(0.0, _overhead(finisher) - start)


def add_up(spendings: Iterable[Spending]) -> tuple[Spending, ...]:
    """Sums by device type, sorted by its name."""
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
    """Sums over the planned trials, and the cost of what stands `beside` them: candidates, removed trials."""
    tally = Tally()
    for record in trials:
        tally.add(record)
    for record in beside:
        tally.add(record, planned=False)
    return tally.totals(refused_cells)
