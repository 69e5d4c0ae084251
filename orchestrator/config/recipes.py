"""Recipes in part (what an entry, a sweep or a rule sets), and how the parts are laid over each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, create_model

from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.record import Record


class _Patch(Record):
    def values(self) -> dict[str, object]:
        """The keys that were set, a set `null` included."""
        return {key: getattr(self, key) for key in self.model_fields_set}


def described(model: type[Record], key: str) -> object:
    """Return a default of None with the description of a field."""
    return Field(None, description=model.model_fields[key].description)


def field_type(model: type[Record], key: str) -> object:
    """Return the type of a field with its bounds, so that a part of a record obeys the same ones as the
    whole."""
    field = model.model_fields[key]
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


if TYPE_CHECKING:

    class RecipePatch(_Patch):
        """Some keys of a Recipe."""
else:
    # Made from Recipe, so that a new key of a recipe exists in every place that may set one. The defaults are
    # never read: `values` gives the keys that were set.
    RecipePatch = create_model(
        "RecipePatch",
        __base__=_Patch,
        __doc__="Some keys of a Recipe.",
        **{key: (field_type(Recipe, key), described(Recipe, key)) for key in Recipe.model_fields},
    )


# Of each group one key can hold: a layer that sets one takes back the others of the layers below.
EITHER = (
    ("steps", "train_seconds", "device_hours", "money"),
    ("train_rows", "train_rows_per_class"),
)


@dataclass(frozen=True)
class Purse:
    """What turns a budget of device-hours or of money into seconds of training."""

    devices: float  # of one trial
    per_device_hour: float | None  # None where the sweep names no price of that kind of device

    def seconds(self, recipe: Recipe) -> float | None:
        hours = recipe.device_hours
        if recipe.money is not None and self.per_device_hour is not None:
            hours = recipe.money / self.per_device_hour
        return None if hours is None else hours * 3600 / self.devices


def lay(
    layers: Iterable[Mapping[str, object]],
    *,
    task_max_length: int,
    backbone_max_length: int,
    full_data: bool,
    purse: Purse,
) -> Recipe:
    """Later layers win. `max_length` is the layers' own or else the task's, never more than the backbone
    takes; `full_data` lifts the caps on rows; a budget of device-hours or money becomes `train_seconds`.
    Raises pydantic.ValidationError where keys do not go together.
    """
    values: dict[str, Any] = {"max_length": task_max_length}
    for layer in layers:
        for group in EITHER:
            if any(layer.get(key) is not None for key in group):
                values |= dict.fromkeys(group)
        values |= layer
    values["max_length"] = min(values["max_length"], backbone_max_length)
    if full_data:
        values |= {"train_rows": None, "train_rows_per_class": None, "dev_rows": None}
    recipe = Recipe(**values)
    seconds = purse.seconds(recipe)
    if seconds is None:
        return recipe
    return recipe.model_copy(update={"train_seconds": seconds, "device_hours": None, "money": None})
