"""What the ledger already knows about a trial, in the form that planning needs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from orchestrator.contracts.probe import Timing
from orchestrator.contracts.record import Record
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.vocabulary import FailureKind, TrialState


class FingerprintHistory(Record):
    """Where the attempts under one fingerprint ended up.

    `wall_seconds` is what a finished trial took from allocation to release, usefully inherited time of the
    attempts that it resumed from included, wasted time left out. None unless finished and billed.
    `dev_quality` is that of a finished trial; None as well where its metric is missing.
    """

    state: Literal[TrialState.FINISHED, TrialState.FAILED, TrialState.UNFINISHED]
    failure: FailureKind | None = None  # of the last attempt, where state is FAILED
    wall_seconds: PositiveFloat | None = None
    device_type: str | None = None  # "cpu" or the GPU's product name
    dev_quality: float | None = None
    timing: Timing | None = None  # where `wall_seconds` went
    device_seconds: NonNegativeFloat = 0.0  # billed, all attempts under the fingerprint
    done_share: NonNegativeFloat = (
        0.0  # of its steps, in the newest checkpoint; of a trial that has not finished
    )


class TrialHistory(Record):
    """All attempts at the trial of one name (`tiny/clinical/lora-r8/ncbi-disease/seed-12`), by fingerprint.

    `last` is the spec of the newest finished attempt, or, where none finished, of the newest attempt: what a
    stale trial is compared with, so that the plan can say what changed.
    """

    by_fingerprint: dict[str, FingerprintHistory] = Field(default_factory=dict)
    last: TrialSpec | None = None

    @property
    def newest(self) -> tuple[TrialSpec, FingerprintHistory] | None:
        """`last`, and where the attempts under its fingerprint ended up."""
        observed = None if self.last is None else self.by_fingerprint.get(self.last.fingerprint)
        return None if self.last is None or observed is None else (self.last, observed)

    def done_share(self, fingerprint: str) -> float:
        """Return the share of its steps in the checkpoint that the next attempt resumes from."""
        observed = self.by_fingerprint.get(fingerprint)
        return 0.0 if observed is None else observed.done_share

    def state(self, fingerprint: str) -> TrialState:
        """NEW without any attempt, STALE where all attempts were made under other fingerprints."""
        observed = self.by_fingerprint.get(fingerprint)
        if observed is not None:
            return TrialState(observed.state)
        return TrialState.STALE if self.by_fingerprint else TrialState.NEW
