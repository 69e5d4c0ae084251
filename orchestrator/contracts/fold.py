"""Which fold of a cross-validation a trial tests: it trains on the others."""

from __future__ import annotations

from pydantic import Field, PositiveInt, model_validator

from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import MOST_FOLDS


class Fold(Record):
    """Fold `number` of `of`, from 1. Which documents are in it depends on the seed of the trial."""

    number: PositiveInt
    of: int = Field(ge=2, le=MOST_FOLDS)

    @model_validator(mode="after")
    def _exists(self) -> Fold:
        if self.number > self.of:
            raise ValueError(f"there is no fold {self.number} of {self.of}")
        return self


def folds_of(count: int | None) -> tuple[Fold | None, ...]:
    """Return the folds that the trials of one seed test; a single None where the task has a test part."""
    if count is None:
        return (None,)
    return tuple(Fold(number=number, of=count) for number in range(1, count + 1))
