"""What a sweep keeps of its weights, and what its driver decided about the whole models among them."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat

from orchestrator.contracts.record import Record

# What finished trials keep. `frontier`: small weights of every trial, and whole models of full fine-tuning
# while no other cell beats theirs.
KeepWeights = Literal["frontier", "all", "adapters", "none"]
KEEP_GIB = 10.0  # of whole models, where a sweep does not say
GIB = 2**30


class DropReason(StrEnum):
    """Why a trial has no whole model, as of the newest choice; the value completes a sentence about it."""

    DOMINATED = "its cell is not on the frontier"
    OTHER_TRIAL = "the model of another trial of its cell was kept"
    LIMIT = "it does not fit in keep_gib"
    EARLIER = "it was dropped earlier, for room or while another cell beat its own"

    @classmethod
    def _missing_(cls, value: object) -> DropReason | None:
        """Older records know no folds, and name the seed."""
        return cls.OTHER_TRIAL if value == "the model of another seed of its cell was kept" else None


class WholeModel(Record):
    """The model of one attempt. `bytes`: on disk."""

    trial: str
    attempt: NonNegativeInt
    bytes: NonNegativeInt


class KeptWeights(Record):
    """`weights.json` in the sweep's directory, written by the driver before it deletes anything.

    `attempts`: whose model was dropped, by trial; without those whose model no worker wrote. Older records do
    not have it.
    """

    keep_gib: PositiveFloat
    kept: tuple[WholeModel, ...] = ()  # those that stay first if space runs out first
    dropped: dict[str, DropReason] = Field(default_factory=dict)  # by trial
    attempts: dict[str, NonNegativeInt] = Field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(model.bytes for model in self.kept)

    @property
    def over_limit(self) -> tuple[str, ...]:
        """Return the trials that no other cell beats and whose model did not fit."""
        return tuple(name for name, reason in self.dropped.items() if reason is DropReason.LIMIT)
