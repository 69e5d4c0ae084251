"""From pydantic's errors to complaints that a user can act on."""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.contracts.record import Record
from orchestrator.errors import Complaint, did_you_mean

R = TypeVar("R", bound=Record)

_REMEDIES = {
    "missing": "add this key",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "string_type": "write text; put quotes around a number or a truth value",
    "bool_type": "write true or false",
    "tuple_type": "write a list: [a, b]",
    "list_type": "write a list: [a, b]",
    "dict_type": "write a mapping: {key: value}",
    "model_type": "write a mapping: {key: value}",
    "model_attributes_type": "write a mapping: {key: value}",
    "finite_number": "write a finite number",
    "too_short": "name at least one",
    "string_pattern_mismatch": "use letters, digits, '.', '_' and '-' only, and begin with a letter or digit",
    "union_tag_not_found": "add the key that says which kind it is",
}


@dataclass(frozen=True)
class Fault:
    """One pydantic error, with its place in the user's own terms: the keys of the file, no internal steps."""

    path: tuple[str | int, ...]
    problem: str
    remedy: str
    unknown_key: bool = False
    empty: bool = False

    @property
    def key(self) -> str:
        return ".".join(str(part) for part in self.path)

    def complaint(self, where: str) -> Complaint:
        return Complaint(where, self.key, self.problem, self.remedy)


def check(model: type[R], raw: Any) -> tuple[R | None, list[Fault]]:
    """`raw` (plain JSON values) as `model`, or None with every fault.

    Strict: `true` is no number and `"3"` no integer. Validated as JSON, where a list may stand for a tuple.
    """
    try:
        return model.model_validate_json(json.dumps(raw), strict=True), []
    except ValidationError as error:
        faults = [_fault(model, raw, e) for e in error.errors(include_url=False)]
        return None, [f for f in faults if not (f.empty and _follows(f, faults))]


def _follows(fault: Fault, faults: list[Fault]) -> bool:
    """A list whose items are all wrong is counted as empty as well; that is no mistake of its own."""
    return any(f is not fault and f.path[: len(fault.path)] == fault.path for f in faults)


def shown(value: Any, limit: int = 60) -> str:
    """A value as a complaint quotes it."""
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _fault(model: type[Record], raw: Any, error: ErrorDetails) -> Fault:
    kind, got = error["type"], error["input"]
    path, around = _place(model, raw, error["loc"])
    if kind == "extra_forbidden":
        known = [field for m in around for field in m.model_fields]
        problem, remedy = f"unknown key, got {path[-1]}: {shown(got)}", did_you_mean(str(path[-1]), known)
        return Fault(path, problem, remedy, unknown_key=True)
    if kind == "missing":
        return Fault(path, "is missing", _REMEDIES[kind])
    if kind == "value_error":
        return Fault(path, f"{error['ctx']['error']}", "make the two agree")
    problem = f"{_reason(error)}, got {shown(got)}"
    return Fault(path, problem, _remedy(kind, error), empty=kind == "too_short")


def _reason(error: ErrorDetails) -> str:
    text = error["msg"].split(" ", 1)[1]  # "Input should be …", "String should …"
    return text.replace("a valid tuple", "a list").replace("a valid array", "a list").split(" after ")[0]


def _remedy(kind: str, error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    expected = context.get("expected", context.get("expected_tags"))
    if expected is not None:
        names = [part.strip(" '") for part in str(expected).replace(" or ", ", ").split(",")]
        got = error["input"]
        tag = got.get(str(context.get("discriminator", "")).strip("'")) if isinstance(got, dict) else got
        return did_you_mean(str(tag), names)
    return _REMEDIES.get(kind, f"write a value that {_reason(error)}".replace("that should be", "that is"))


def _place(
    model: type[Record], raw: Any, loc: Sequence[str | int]
) -> tuple[tuple[str | int, ...], list[type[Record]]]:
    """The path without the steps that only pydantic sees (union tags, the place in a scalar taken as a list),
    and the models that stand just above its end."""
    options, path, around = _options(model), list[str | int](), list[type[Record]]()
    for part in loc:
        records = [o for o in options if isinstance(o, type) and issubclass(o, Record)]
        tagged = [r for r in records if part in _tags(r)] if len(records) > 1 else []
        if tagged:
            options = list(tagged)
            continue
        if isinstance(part, str) and _names_an_option(part, options):
            options = [o for o in options if _option_name(o) == part] or options
            continue
        around = records
        inner = [i for o in options for i in _inner(o, part)]
        options = [i for option in inner for i in _options(option)]
        if isinstance(part, int) and not isinstance(raw, list):
            continue
        path.append(part)
        raw = raw.get(part) if isinstance(raw, dict) else _item(raw, part)
    return tuple(path), around


def _names_an_option(part: str, options: Sequence[Any]) -> bool:
    """Of a union without a discriminator, pydantic names the member that it tried."""
    return len(options) > 1 and (
        part.startswith("tuple[") or any(_option_name(option) == part for option in options)
    )


def _option_name(option: Any) -> str:
    return str(getattr(option, "__name__", ""))


def _item(raw: Any, part: str | int) -> Any:
    return raw[part] if isinstance(raw, list) and isinstance(part, int) and part < len(raw) else None


def _options(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _options(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [option for part in get_args(annotation) for option in _options(part)]
    return [annotation]


def _inner(option: Any, part: str | int) -> list[Any]:
    if isinstance(option, type) and issubclass(option, Record):
        field = option.model_fields.get(str(part))
        return [] if field is None else [field.annotation]
    arguments = get_args(option)
    if get_origin(option) is dict:
        return [arguments[1]]
    return [arguments[0]] if arguments else []


def _tags(record: type[Record]) -> list[Any]:
    return [
        tag
        for field in record.model_fields.values()
        if get_origin(field.annotation) is Literal
        for tag in get_args(field.annotation)
    ]
