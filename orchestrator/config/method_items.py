"""Methods of a sweep file, and the keys of the recipe that its cells vary: a list of values makes an axis."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import BeforeValidator, Field, create_model

from orchestrator.config.recipes import described, field_type
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.record import Record
from orchestrator.contracts.tuning import Tune

SETTINGS: dict[str, type[Record]] = {
    cls.model_fields["kind"].default: cls for cls in get_args(MethodSpec.model_fields["settings"].annotation)
}


def as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


def one_or_more(inner: Any) -> Any:
    """The type of a key that takes a value or a list of values, and always arrives as a tuple."""
    several = Annotated[tuple[inner, ...], Field(min_length=1)]
    return Annotated[several, BeforeValidator(as_tuple, json_schema_input_type=inner | several)]


class _Axes(Record):
    def axes(self) -> dict[str, tuple[object, ...]]:
        """The values of each key that was set and takes several."""
        return {
            key: getattr(self, key)
            for key in type(self).model_fields
            if key in self.model_fields_set and key not in _MethodItem.model_fields
        }


class _MethodItem(_Axes):
    name: str = Field(description="entry of the catalogue")
    tune: Tune | None = Field(
        None, description="search before comparing; null: without the search of the entry"
    )
    only: Annotated[
        tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...])
    ] = Field((), description="variants of the item to keep, say [lora-r8]; empty: all")


if TYPE_CHECKING:

    class MethodItem(_MethodItem):
        """A method of the catalogue, with settings or recipe keys of its own; a list makes an axis."""

    class RecipeAxes(_Axes):
        """Recipe keys that every method is run with, each with one or more values."""
else:
    _KEYS = itertools.chain(
        ((key, cls) for cls in SETTINGS.values() for key in cls.model_fields if key != "kind"),
        ((key, Recipe) for key in Recipe.model_fields),
    )
    MethodItem = create_model(
        "MethodItem",
        __base__=_MethodItem,
        __doc__="A method of the catalogue, with settings or recipe keys of its own; a list makes an axis.",
        **{key: (one_or_more(field_type(cls, key)), described(cls, key)) for key, cls in _KEYS},
    )
    RecipeAxes = create_model(
        "RecipeAxes",
        __base__=_Axes,
        __doc__="Recipe keys that every method is run with, each with one or more values.",
        **{
            key: (one_or_more(field_type(Recipe, key)), described(Recipe, key)) for key in Recipe.model_fields
        },
    )


def by_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value
