"""The methods: each file of this folder is a family, and each class in it with a `kind` is a method.

They are found, not listed: a file that is added here is a method that sweep files can name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from orchestrator.contracts.methods.base import MethodSettings
from orchestrator.contracts.record import Record


def _subclasses(base: type[MethodSettings]) -> Iterator[type[MethodSettings]]:
    for subclass in base.__subclasses__():
        yield from _subclasses(subclass)
        if subclass.model_fields["kind"].default:
            yield subclass


for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

METHODS = tuple(sorted(_subclasses(MethodSettings), key=lambda method: method.model_fields["kind"].default))

if TYPE_CHECKING:
    Settings = MethodSettings
else:
    Settings = Annotated[Union[METHODS], Field(discriminator="kind")]  # noqa: UP007


class MethodSpec(Record):
    """`name` is the readable slug for paths and tables, say `lora-r8`; `entry` the catalogue's."""

    name: str
    entry: str
    settings: Settings
