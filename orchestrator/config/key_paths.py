"""The keys of the user's file that a pydantic error is about."""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from orchestrator.contracts.record import Record

_OF_A_KEY = "[key]"  # pydantic's step from a mapping to one of its keys


@dataclass(frozen=True)
class KeyPath:
    """A key of the file, by the keys that lead to it; no internal steps."""

    path: tuple[str | int, ...]
    keys: tuple[str, ...]  # that may be beside it
    records: tuple[type[Record], ...]  # that it may hold
    meaning: str = ""  # what its record says about it

    def tags(self, key: str) -> tuple[str, ...]:
        """Return the values of the key that selects one of the records."""
        fields = [r.model_fields[key] for r in self.records if key in r.model_fields]
        return tuple(str(tag) for field in fields for tag in get_args(field.annotation))


def key_path(model: type[Record], raw: object, loc: Sequence[str | int]) -> KeyPath:
    """Return the key without the steps that only pydantic sees: union tags, the index in a scalar that is
    read as a list."""
    options, path, around = _options(model), list[str | int](), list[type[Record]]()
    for part in loc:
        records = _records(options)
        tagged = [r for r in records if part in _tags(r)] if len(records) > 1 else []
        if tagged:
            options = list(tagged)
            continue
        if isinstance(part, str) and _names_an_option(part, options):
            options = [o for o in options if _option_name(o) == part] or options
            continue
        if part == _OF_A_KEY:
            continue
        around = records
        inner = [i for o in options for i in _inner(o, part)]
        options = [i for option in inner for i in _options(option)]
        if isinstance(part, int) and not isinstance(raw, list):
            continue
        path.append(part)
        raw = raw.get(part) if isinstance(raw, dict) else _item(raw, part)
    keys = dict.fromkeys(field for record in around for field in record.model_fields)
    last = str(path[-1]) if path else ""
    fields = [record.model_fields[last] for record in around if last in record.model_fields]
    meaning = next((field.description for field in fields if field.description), "")
    return KeyPath(tuple(path), tuple(keys), tuple(_records(options)), meaning)


def home_of(model: type[Record], raw: object, path: Sequence[str | int]) -> str | None:
    """Return where in the file an unknown key belongs, None unless a record one level up or down has it."""
    key = str(path[-1])
    if len(path) == 2 and key in model.model_fields:
        return f"one level up, beside `{path[0]}`"
    home = None
    if len(path) != 1 or not isinstance(raw, dict):
        return None
    for name, field in model.model_fields.items():
        records, inner = _records(_options(field.annotation)), raw.get(name)
        for record in records:
            tags = _tags(record) if len(records) > 1 else []
            fits = not tags or (isinstance(inner, dict) and any(value in tags for value in inner.values()))
            if fits and key in record.model_fields and _takes(record, key, raw[key]):
                home = f"under `{name}:`"  # the last one: `axes` takes a single value too, `recipe` means it
    return home


def _takes(record: type[Record], key: str, value: object) -> bool:
    try:
        record.model_validate({key: value})
    except ValidationError as error:
        return all(e["loc"][:1] != (key,) for e in error.errors(include_url=False))
    return True


def _records(options: Sequence[object]) -> list[type[Record]]:
    return [o for o in options if isinstance(o, type) and issubclass(o, Record)]


def _names_an_option(part: str, options: Sequence[object]) -> bool:
    """Return whether the step is the member of a union that pydantic tried: it names it if there is no
    discriminator."""
    return len(options) > 1 and (
        part.startswith("tuple[") or any(_option_name(option) == part for option in options)
    )


def _option_name(option: object) -> str:
    return str(getattr(option, "__name__", ""))


def _item(raw: object, part: str | int) -> object:
    return raw[part] if isinstance(raw, list) and isinstance(part, int) and part < len(raw) else None


def _options(annotation: object) -> list[object]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [option for part in get_args(annotation) for option in _options(part)]
    return [annotation]


def _inner(option: object, part: str | int) -> list[object]:
    if isinstance(option, type) and issubclass(option, Record):
        field = option.model_fields.get(str(part))
        return [] if field is None else [field.annotation]
    arguments = get_args(option)
    if get_origin(option) is dict:
        return [arguments[1]]
    return [arguments[0]] if arguments else []


def _tags(record: type[Record]) -> list[object]:
    return [
        tag
        for field in record.model_fields.values()
        if get_origin(field.annotation) is Literal
        for tag in get_args(field.annotation)
    ]
