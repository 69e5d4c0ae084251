"""Tuning before comparing: what is searched, with which budget, and what was found."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record

Value = float | int | str | bool


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Range(Record):
    """A span of numbers, both ends in it; `log`: drawn evenly on a logarithmic scale."""

    low: PositiveFloat
    high: PositiveFloat
    log: bool = False


Span = Annotated[Range | tuple[Value, ...], BeforeValidator(_as_tuple)]


class Tune(Record):
    """A search over dev scores, once for each (backbone, method, task), before the seeds are run.

    `space` maps keys of the recipe or of the method's settings to a range or a list of choices. The search
    trains `trials` candidates with one seed and never looks at test. The same seed and the same scores give
    the same candidates, so an interrupted search goes on where it stopped.
    """

    trials: PositiveInt = 20
    seed: NonNegativeInt = 0  # of the sampler, and of every candidate's training
    space: dict[str, Span] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_room(self) -> Tune:
        for key, span in self.space.items():
            if isinstance(span, Range):
                if span.low >= span.high:
                    raise ValueError(f"space.{key}: low {span.low:g} is not below high {span.high:g}")
            elif len(set(span)) < 2:
                raise ValueError(f"space.{key}: a search needs at least two choices, or a range")
        return self


class Tuned(Record):
    """The winner of a search, frozen for the seeded comparison."""

    values: dict[str, Value]
    candidate: PositiveInt  # its number, from 1
    metric: MetricName
    dev_quality: float  # higher is better
    candidates: PositiveInt  # that were scored
    failed: NonNegativeInt = 0
    device_seconds: NonNegativeFloat  # allocated to the whole search, failed candidates included
    device_type: str
