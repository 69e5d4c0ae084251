"""What the ledger records about a trial: its state, its attempts, and where its device time went."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from orchestrator.contracts.kept_weights import KeepWeights
from orchestrator.contracts.outcome import Bill, Outcome, PhaseSeconds
from orchestrator.contracts.record import Record
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.vocabulary import Source, TrialState

CPU = "cpu"  # the device type of a trial that is given no GPU
UNKNOWN_GPU = "unknown GPU"  # an attempt on a GPU that was killed before anything wrote down which


def device_unit(device_type: str) -> str:
    """`core-hours` for cores, `GPU-hours` for GPUs: a core is never called a GPU."""
    return "core-hours" if device_type == CPU else "GPU-hours"


class Use(StrEnum):
    """What a billed device-second went into."""

    USEFUL = "useful"  # a finished result
    OVERHEAD = "overhead"  # hand-over, start, reading, checkpoints, timing of the service
    FAILED = "failed"  # lost on the way to a result, or where there is none
    PREEMPTED = "preempted"  # likewise, and nothing was wrong with the trial
    UNFINISHED = "unfinished"  # under the planned fingerprint, no end yet
    SUPERSEDED = "superseded"  # under other fingerprints, or of trials no longer in the grid
    TUNING = "tuning"  # all that searches took, however their candidates ended


class AttemptRecord(Record):
    """One attempt, as found on disk. `billed_device_seconds` is None where `source` is MISSING.

    `source`: MEASURED by its bill; ESTIMATED, without one, from its order to the last sign of life; MISSING
    where there is neither. `phases` are wall seconds within the bill, the queue included: as the attempt
    measured them, or for a killed one, from its events (`phases_source`).
    """

    attempt: PositiveInt
    fingerprint: str
    directory: str
    ordered_at: float  # Unix time
    resources: Resources
    keep_weights: KeepWeights = "adapters"  # as it was ordered
    resumed: bool
    resumed_from: PositiveInt | None = None  # the attempt whose checkpoint it went on from
    outcome: Outcome | None = None
    bill: Bill | None = None
    device_type: str
    devices: NonNegativeFloat
    billed_device_seconds: NonNegativeFloat | None
    source: Source
    phases: PhaseSeconds = Field(default_factory=dict)
    inherited_phases: PhaseSeconds = Field(default_factory=dict)
    phases_source: Source = Source.MISSING
    done_share: NonNegativeFloat = (
        0.0  # of the trial's steps, in its last checkpoint; of one that did not finish
    )


class Spending(Record):
    """Device-seconds of one device type.

    `billed` = `useful` + `overhead` + `wasted` + `unfinished` + `superseded` + `tuning`. Across these run
    `unexplained`, the part of `billed` outside every phase, and `estimated`, the part without a bill.
    """

    device_type: str
    billed: NonNegativeFloat = 0.0
    useful: NonNegativeFloat = 0.0  # went into a finished result
    overhead: NonNegativeFloat = 0.0  # hand-over, start, reading, checkpoints, timing of the service
    wasted: NonNegativeFloat = 0.0  # failed, preempted or lost on the way to a result
    preempted: NonNegativeFloat = 0.0  # the part of `wasted` that nothing but an interruption cost
    unfinished: NonNegativeFloat = 0.0  # under the planned fingerprint, no end yet
    superseded: NonNegativeFloat = 0.0  # under other fingerprints, or of trials no longer in the grid
    tuning: NonNegativeFloat = 0.0  # all that searches took, however their candidates ended
    unexplained: NonNegativeFloat = 0.0
    estimated: NonNegativeFloat = 0.0


class TrialRecord(Record):
    """One planned trial and everything that was done about it."""

    planned: PlannedTrial
    state: TrialState
    attempts: tuple[AttemptRecord, ...] = ()  # oldest first, those under other fingerprints included
    spending: tuple[Spending, ...] = ()  # one a device type

    @property
    def name(self) -> str:
        return self.planned.name

    @property
    def current(self) -> tuple[AttemptRecord, ...]:
        """Return the attempts under the planned fingerprint, oldest first."""
        return tuple(a for a in self.attempts if a.fingerprint == self.planned.fingerprint)

    @property
    def decisive(self) -> AttemptRecord | None:
        """Return the attempt that decides the state: the first finished one, else the last one that
        failed."""
        return decisive(self.current)

    @property
    def outcome(self) -> Outcome | None:
        attempt = self.decisive
        return attempt.outcome if attempt else None

    @property
    def useful_device_seconds(self) -> float:
        return sum(s.useful for s in self.spending)

    @property
    def wasted_device_seconds(self) -> float:
        return sum(s.wasted for s in self.spending)

    @property
    def billed_device_seconds(self) -> float:
        return sum(s.billed for s in self.spending)


class Totals(Record):
    """Sums over a sweep. Trials by state count planned trials; refused cells were never trials."""

    trials: dict[TrialState, NonNegativeInt]
    refused_cells: NonNegativeInt = 0
    attempts: NonNegativeInt = 0
    attempts_without_cost: NonNegativeInt = 0  # Source.MISSING
    spending: tuple[Spending, ...] = Field(default_factory=tuple)


def decisive(attempts: tuple[AttemptRecord, ...]) -> AttemptRecord | None:
    """Return the first attempt that finished, else the last that failed, of those under one fingerprint,
    oldest first."""
    finished = [a for a in attempts if a.outcome is not None and a.outcome.state == "finished"]
    if finished:
        return finished[0]
    ended = [a for a in attempts if a.outcome is not None]
    return ended[-1] if ended else None
