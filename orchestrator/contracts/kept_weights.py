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
    """Why the whole model of a trial was dropped; the value completes a sentence about it."""

    DOMINATED = "its cell is not on the frontier"
    OTHER_SEED = "the model of another seed of its cell was kept"
    LIMIT = "it does not fit in keep_gib"


class WholeModel(Record):
    """The model of one attempt. `bytes`: on disk."""

    trial: str
    attempt: NonNegativeInt
    bytes: NonNegativeInt


class KeptWeights(Record):
    """`weights.json` in the sweep's directory, written by the driver before it deletes anything."""

    keep_gib: PositiveFloat
    kept: tuple[WholeModel, ...] = ()  # those that stay first if space runs out first
    dropped: dict[str, DropReason] = Field(default_factory=dict)  # by trial

    @property
    def bytes(self) -> int:
        return sum(model.bytes for model in self.kept)

    @property
    def over_limit(self) -> tuple[str, ...]:
        """Return the trials on the frontier whose model did not fit."""
        return tuple(name for name, reason in self.dropped.items() if reason is DropReason.LIMIT)
