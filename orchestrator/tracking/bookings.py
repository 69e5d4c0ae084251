"""The books: each billed device-microsecond of a trial, what it went into and the phase that it was spent in.

Pure, and in whole microseconds, so that sums agree to the last digit however they are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.contracts.ledger import AttemptRecord, Use, decisive
from orchestrator.contracts.outcome import PhaseSeconds
from orchestrator.contracts.vocabulary import Phase, TrialState

_MICRO = 1_000_000


@dataclass(frozen=True)
class Booking:
    """Part of a bill. `phase` is None for what was billed outside every phase: unexplained."""

    attempt: AttemptRecord
    use: Use
    phase: Phase | None
    microseconds: int  # device-microseconds


def bookings_of(
    attempts: Sequence[AttemptRecord], fingerprint: str, state: TrialState, *, candidate: bool = False
) -> list[Booking]:
    """Return the bookings of a planned trial with these attempts, oldest first, under any fingerprint.

    useful: the phases of the finishing attempt, and of those it resumed from what their checkpoints carried
    over (training and scoring; to load again is no part of a result). overhead: what else the finisher was
    billed, and what their earlier checkpoints took of those it resumed from. failed and preempted: the rest
    under the fingerprint of a trial that has ended, by what ended the attempt; one whose end was not seen
    counts as preempted. A candidate of a search gives no result of its own: all it took is tuning. Attempts
    under other fingerprints are superseded.
    """
    current = tuple(a for a in attempts if a.fingerprint == fingerprint)
    finisher = decisive(current) if state is TrialState.FINISHED else None
    kept = _kept(current, finisher)
    books: list[Booking] = []
    for attempt in attempts:
        if attempt.fingerprint != fingerprint:
            books += _book(attempt, {}, Use.SUPERSEDED)
        elif candidate:
            books += _book(attempt, {}, Use.TUNING)
        elif attempt is finisher:
            own = {p: s for p, s in attempt.phases.items() if p.is_result}
            books += _book(attempt, own, Use.OVERHEAD)
        elif state is TrialState.UNFINISHED:
            books += _book(attempt, {}, Use.UNFINISHED)
        else:
            books += _book(attempt, kept.get(attempt.attempt, {}), _loss(attempt))
    return books


def _loss(attempt: AttemptRecord) -> Use:
    failure = None if attempt.outcome is None else attempt.outcome.failure
    return Use.PREEMPTED if failure is None or failure.kind.blames_the_machine else Use.FAILED


def _kept(current: Sequence[AttemptRecord], finisher: AttemptRecord | None) -> dict[int, PhaseSeconds]:
    """Wall seconds of each attempt that the finisher built on: at each link of the chain what the later one
    inherited less what the earlier one had itself inherited."""
    numbered = {a.attempt: a for a in current}
    by_attempt: dict[int, PhaseSeconds] = {}
    later = finisher
    while later is not None and later.resumed_from is not None:
        earlier = numbered.get(later.resumed_from)
        if earlier is None or earlier.attempt in by_attempt or earlier is finisher:
            break
        by_attempt[earlier.attempt] = {
            phase: max(0.0, seconds - earlier.inherited_phases.get(phase, 0.0))
            for phase, seconds in later.inherited_phases.items()
            if phase.is_kept
        }
        later = earlier
    return by_attempt


def _book(attempt: AttemptRecord, kept: PhaseSeconds, rest: Use) -> list[Booking]:
    """Return the whole bill of one attempt: what was kept first, then its other phases, then what is
    outside every phase. Nothing exceeds the bill: phases that are longer, by the resolution of two clocks,
    are cut."""
    total = round((attempt.billed_device_seconds or 0.0) * _MICRO)
    others = {p: max(0.0, s - kept.get(p, 0.0)) for p, s in attempt.phases.items()}
    parts = [(Use.USEFUL if p.is_result else Use.OVERHEAD, p, s) for p, s in kept.items()]
    parts += [(rest, p, s) for p, s in others.items()]
    books, seconds, booked = [], 0.0, 0
    for use, phase, part in parts:
        seconds += part
        until = min(total, round(seconds * attempt.devices * _MICRO))
        if until > booked:
            books.append(Booking(attempt, use, phase, until - booked))
        booked = until
    if total > booked:
        books.append(Booking(attempt, rest, None, total - booked))
    return books
