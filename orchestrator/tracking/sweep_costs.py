"""The account of a sweep: device time by what it went into and by phase, and what was done in each phase."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.contracts.ledger import AttemptRecord, TrialRecord, Use
from orchestrator.contracts.outcome import Origin
from orchestrator.contracts.phase_work import NO_WORK, PhaseWork, sum_of
from orchestrator.contracts.vocabulary import Figure, Phase, Source
from orchestrator.tracking.bookings import bookings_of

Place = tuple[Phase | None, Use]  # None: in no phase


@dataclass
class DeviceCosts:
    """The costs of one device type. `booked` holds integer device-microseconds, each under one key.

    `work` is that of all attempts, by phase, as far as they recorded it; `silent` counts the attempts that
    did not. `origins` counts attempts by the way a figure came about.
    """

    device_type: str
    booked: dict[Place, int] = field(default_factory=dict)
    estimated: int = 0  # device-microseconds without a bill
    attempts: int = 0
    without_cost: int = 0  # attempts that left neither bill nor sign
    phases_estimated: int = 0  # attempts whose phases are those of their events
    work: dict[Phase, PhaseWork] = field(default_factory=dict)
    silent: int = 0  # attempts that left no figures beside seconds
    origins: dict[tuple[Figure, Origin], int] = field(default_factory=dict)
    saved_bytes: int = 0

    def total(self, use: Use | None = None, phase: Phase | None = None) -> int:
        """Device-microseconds of a use, of a phase, or of all."""
        return sum(
            amount
            for (where, what), amount in self.booked.items()
            if use in (None, what) and phase in (None, where)
        )

    @property
    def unexplained(self) -> int:
        """Return the device-microseconds that were billed outside every phase."""
        return sum(amount for (phase, _), amount in self.booked.items() if phase is None)


def statements(records: Iterable[TrialRecord]) -> list[DeviceCosts]:
    """One a device type, by name. `records`: trials, candidates, and what the grid no longer holds."""
    by_device_type: dict[str, DeviceCosts] = {}
    for record in records:
        candidate = record.planned.candidate is not None
        books = bookings_of(record.attempts, record.planned.fingerprint, record.state, candidate=candidate)
        for booking in books:
            booked = by_device_type.setdefault(
                booking.attempt.device_type, DeviceCosts(booking.attempt.device_type)
            ).booked
            key = booking.phase, booking.use
            booked[key] = booked.get(key, 0) + booking.microseconds
        for attempt in record.attempts:
            _count(by_device_type.setdefault(attempt.device_type, DeviceCosts(attempt.device_type)), attempt)
    return [by_device_type[kind] for kind in sorted(by_device_type)]


def _count(statement: DeviceCosts, attempt: AttemptRecord) -> None:
    outcome = attempt.outcome
    statement.attempts += 1
    statement.without_cost += attempt.source is Source.MISSING
    statement.phases_estimated += attempt.phases_source is Source.ESTIMATED
    if attempt.source is Source.ESTIMATED:
        statement.estimated += round((attempt.billed_device_seconds or 0.0) * 1_000_000)
    statement.silent += outcome is None or not outcome.work
    if outcome is None:
        return
    statement.saved_bytes += outcome.saved_bytes or 0
    for phase, work in outcome.work.items():
        statement.work[phase] = _more(statement.work.get(phase, NO_WORK), work)
    for figure, origin in outcome.origins.items():
        statement.origins[figure, origin] = statement.origins.get((figure, origin), 0) + 1


def _more(so_far: PhaseWork, work: PhaseWork) -> PhaseWork:
    """Add up what is known; how many attempts recorded it is counted separately."""
    both = sum_of([so_far, work])
    gaps = {
        name: getattr(so_far, name) if getattr(work, name) is None else getattr(work, name)
        for name in PhaseWork.model_fields
        if getattr(so_far, name) is None or getattr(work, name) is None
    }
    return both.model_copy(update=gaps)
