"""From the attempts at one trial to what planning needs to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from orchestrator.contracts.ledger import AttemptRecord, decisive
from orchestrator.contracts.metrics import quality
from orchestrator.contracts.probe import Timing
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.trial_history import FingerprintHistory, TrialHistory
from orchestrator.contracts.vocabulary import FailureKind, Source, TrialState
from orchestrator.tracking.timing import timing_of


def newest_of(attempts: Sequence[AttemptRecord]) -> AttemptRecord:
    """Return the newest that finished, or the newest if none did. `attempts`: oldest first, not empty."""
    finished = [a for a in attempts if a.outcome is not None and a.outcome.state == "finished"]
    return (finished or list(attempts))[-1]


def trial_history(attempts: Sequence[AttemptRecord], last: TrialSpec | None) -> TrialHistory:
    """`attempts` under any fingerprint, oldest first; `last` is the spec of the newest of them."""
    by_fingerprint: dict[str, list[AttemptRecord]] = {}
    for attempt in attempts:
        by_fingerprint.setdefault(attempt.fingerprint, []).append(attempt)
    return TrialHistory(
        by_fingerprint={f: _under_one(tuple(a)) for f, a in by_fingerprint.items()}, last=last
    )


def _under_one(attempts: tuple[AttemptRecord, ...]) -> FingerprintHistory:
    state: Literal[TrialState.FINISHED, TrialState.FAILED, TrialState.UNFINISHED] = TrialState.UNFINISHED
    failure: FailureKind | None = None
    timing: Timing | None = None
    seconds: float | None = None
    dev: float | None = None
    attempt = decisive(attempts)
    last = attempts[-1].outcome
    if attempt is not None and attempt.outcome is not None and attempt.outcome.state == "finished":
        state = TrialState.FINISHED
        dev = quality(attempt.outcome.metric, attempt.outcome.dev)
        if attempt.source is Source.MEASURED and attempt.bill is not None:
            seconds = attempt.bill.wall_seconds + sum(attempt.outcome.inherited_phases.values())
            timing = timing_of(attempt.outcome, attempt.bill)
    elif last is not None and last.failure is not None:
        state, failure = TrialState.FAILED, last.failure.kind
    return FingerprintHistory(
        state=state,
        failure=failure,
        wall_seconds=seconds if seconds and seconds > 0 else None,
        device_type=(attempt or attempts[-1]).device_type,
        dev_quality=dev,
        timing=timing,
        device_seconds=sum(a.billed_device_seconds or 0.0 for a in attempts),
        done_share=0.0 if state is TrialState.FINISHED else max(a.done_share for a in attempts),
    )
