"""Tuning before comparing: what is searched, with which budget, and what was found."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    model_validator,
)

from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.record import Record, raise_problems
from orchestrator.contracts.trial import Seed
from orchestrator.errors import Problem

Value = float | int | str | bool

# Recipe keys that say how a trial learns. The others say for how long, on which rows and how it is scored: by
# one of them a candidate would win that was given more, or judged otherwise.
TUNABLE = ("learning_rate", "batch_size", "warmup_ratio", "weight_decay", "max_grad_norm")
SAME_THING = {"alpha": "alpha_ratio", "alpha_ratio": "alpha"}  # a searched one takes the other's place
_MOST_CORNERS = 4096


class Range(Record):
    """A span of numbers, both ends in it; `log`: drawn evenly on a logarithmic scale, which has no 0."""

    low: NonNegativeFloat = Field(description="smallest value, included")
    high: PositiveFloat = Field(description="largest value, included")
    log: bool = Field(False, description="draw evenly on a logarithmic scale")

    @model_validator(mode="after")
    def _has_room(self) -> Range:
        raise_problems(self._problems())
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Whole numbers as such, which some keys insist on."""
        low, high = (int(end) if end.is_integer() else end for end in (self.low, self.high))
        return low, high

    def _problems(self) -> Iterator[Problem]:
        if self.low >= self.high:
            yield Problem.of_key(
                "low", f"{self.low:g} is not below high {self.high:g}", "lower low, or raise high"
            )
        if self.log and not self.low:
            yield Problem.of_key(
                "low", "a logarithmic scale has no 0, got 0 with log: true", "raise low, or drop log"
            )


def _as_tuple(value: object) -> object:
    """JSON knows no tuples, and behind the discriminator a list is taken for no tuple."""
    return tuple(value) if isinstance(value, list) else value


def _form(value: object) -> str | None:
    if isinstance(value, list | tuple):
        return "tuple"
    return "Range" if isinstance(value, dict | Range) else None


Span = Annotated[
    Annotated[Range, Tag("Range")] | Annotated[tuple[Value, ...], Tag("tuple")],
    Discriminator(
        _form,
        custom_error_type="span",
        custom_error_message="Input should be a list of choices or a range",
    ),
    BeforeValidator(_as_tuple),
]


class Tune(Record):
    """A search over dev scores, once for each (backbone, method, task), before the seeds are run.

    `space` maps keys of the recipe or of the method's settings to a range or a list of choices. The search
    trains `trials` candidates with one seed and never looks at test. The same seed and the same scores give
    the same candidates, so an interrupted search continues where it stopped.
    """

    trials: PositiveInt = Field(20, description="candidates that are trained, with one seed each")
    seed: Seed = Field(0, description="of the sampler, and of every candidate's training")
    space: dict[str, Span] = Field(
        min_length=1,
        description="keys of the recipe or of the method's settings, each with a range or a list of choices",
    )

    @model_validator(mode="after")
    def _has_choices(self) -> Tune:
        raise_problems(
            Problem.of_key(
                f"space.{key}", "a search needs at least two choices, or a range", "name another value"
            )
            for key, span in self.space.items()
            if not isinstance(span, Range) and len(set(span)) < 2
        )
        return self

    def corners(self, keys: Collection[str]) -> Iterator[dict[str, Value]]:
        """Combinations of the extreme values of those keys, at most 4,096: rules over several keys hold or
        break there."""
        ends = {
            key: span.ends if isinstance(span, Range) else span
            for key, span in self.space.items()
            if key in keys
        }
        for values in itertools.islice(itertools.product(*ends.values()), _MOST_CORNERS):
            yield dict(zip(ends, values, strict=True))


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
    dropped = {SAME_THING[key]: None for key in own if key in SAME_THING and SAME_THING[key] not in own}
    settings = method.settings.model_dump() | dropped | own
    return (
        MethodSpec.model_validate(method.model_dump() | {"settings": settings}) if own else method,
        Recipe.model_validate(recipe.model_dump() | in_recipe) if in_recipe else recipe,
    )
