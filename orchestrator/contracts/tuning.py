"""Tuning before comparing: what is searched, with which budget, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
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

from orchestrator.contracts.method import MethodSpec
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.trial import Recipe

Value = float | int | str | bool

_SAME_THING = {"alpha": "alpha_ratio", "alpha_ratio": "alpha"}  # a searched one takes the other's place


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


def with_values(method: MethodSpec, recipe: Recipe, values: Mapping[str, Value]) -> tuple[MethodSpec, Recipe]:
    """Method and recipe with the values of a candidate laid over them.

    Raises pydantic.ValidationError where the values do not go together with the rest.
    """
    in_recipe = {key: value for key, value in values.items() if key in Recipe.model_fields}
    own = {key: value for key, value in values.items() if key not in in_recipe}
    dropped = {_SAME_THING[key]: None for key in own if key in _SAME_THING and _SAME_THING[key] not in own}
    settings = method.settings.model_dump() | dropped | own
    return (
        MethodSpec.model_validate(method.model_dump() | {"settings": settings}) if own else method,
        Recipe.model_validate(recipe.model_dump() | in_recipe) if in_recipe else recipe,
    )
