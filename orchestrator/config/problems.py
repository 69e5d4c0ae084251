"""From pydantic's errors to complaints that a user can act on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config.key_paths import Place, key_path
from orchestrator.contracts.record import MisfitError, Record
from orchestrator.errors import Problem, did_you_mean

R = TypeVar("R", bound=Record)

_REMEDIES = {
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
    "span": "write a list of choices, [a, b], or a range, {low: a, high: b}",
}
_EMPTY = "too_short"
_WORDS = {
    "a valid tuple": "a list",
    "a valid array": "a list",
    "a valid dictionary": "a mapping",
    "an object": "a mapping",
    "a valid string": "text",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
}


@dataclass(frozen=True)
class Fault:
    """One pydantic error, with its place in the user's own terms: the keys of the file, no internal steps."""

    path: tuple[str | int, ...]
    problem: str
    fix: str
    unknown_key: bool = False
    empty: bool = False

    @property
    def key(self) -> str:
        return ".".join(str(part) for part in self.path)

    def problem_at(self, where: str) -> Problem:
        return Problem(where, self.key, self.problem, self.fix)


def check(model: type[R], raw: Any) -> tuple[R | None, list[Fault]]:
    """`raw` (plain JSON values) as `model`, or None with every fault.

    Strict: `true` is no number and `"3"` no integer. Validated as JSON, where a list may stand for a tuple.
    """
    try:
        return model.model_validate_json(json.dumps(raw), strict=True), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    faults = list[tuple[int, Fault]]()  # by the number of the error that tells it, in the order of the record
    places: dict[tuple[str | int, ...], list[int]] = defaultdict(list)
    for number, e in enumerate(errors):
        place = key_path(model, raw, e["loc"])
        special = [_of_type(place.path, [e])] if e["type"] == _EMPTY else list(_special(place, e))
        faults += [(number, fault) for fault in special]
        if not special:
            places[place.path].append(number)
    faults += [(these[0], _of_type(path, [errors[n] for n in these])) for path, these in places.items()]
    told = [fault for _, fault in sorted(faults, key=itemgetter(0))]
    return None, [f for f in told if not (f.empty and _follows(f, told))]


def _follows(fault: Fault, faults: list[Fault]) -> bool:
    """A list whose items are all wrong is counted as empty as well; that is no mistake of its own."""
    return any(f is not fault and f.path[: len(fault.path)] == fault.path for f in faults)


def shown(value: Any, limit: int = 60) -> str:
    """A value as a complaint quotes it."""
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _special(place: Place, error: ErrorDetails) -> Iterator[Fault]:
    """Where more is wrong than the type of a value."""
    kind, path, context = error["type"], place.path, error.get("ctx", {})
    if kind == "value_error" and isinstance(context["error"], MisfitError):
        for misfit in context["error"].misfits:
            yield Fault((*path, *_steps(misfit.key)), misfit.problem, misfit.fix)
    elif kind == "value_error":
        yield Fault(path, f"{context['error']}", "change one of the keys that this names")
    elif kind == "extra_forbidden":
        problem = f"unknown key, got {path[-1]}: {shown(error['input'])}"
        yield Fault(path, problem, did_you_mean(str(path[-1]), place.keys), unknown_key=True)
    elif kind == "missing":
        yield Fault(path, "is missing", "add this key")
    elif kind == "union_tag_not_found":
        key = _discriminator(context)
        yield Fault((*path, key), "is missing", f"add it, one of: {', '.join(place.tags(key))}")
    elif kind == "union_tag_invalid":
        key, tag = _discriminator(context), str(context["tag"])
        yield Fault((*path, key), f"unknown {key}, got {tag!r}", did_you_mean(tag, place.tags(key)))


def _of_type(path: tuple[str | int, ...], errors: Sequence[ErrorDetails]) -> Fault:
    """Of a value that may be of several types, pydantic tells for each why it is not of that one."""
    reasons = list(dict.fromkeys(map(_reason, errors)))
    problem = " or ".join([reasons[0], *(reason.removeprefix("should be ") for reason in reasons[1:])])
    fix = _remedy(errors[0]) if len(reasons) == 1 else "write one of these"
    empty = errors[0]["type"] == _EMPTY
    return Fault(path, f"{problem}, got {shown(errors[0]['input'])}", fix, empty=empty)


def _steps(key: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in key.split(".") if part]


def _discriminator(context: dict[str, Any]) -> str:
    return str(context["discriminator"]).strip("'")


def _reason(error: ErrorDetails) -> str:
    text = error["msg"].split(" ", 1)[1]  # "Input should be …", "String should …"
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    return text.split(" after ")[0]


def _remedy(error: ErrorDetails) -> str:
    expected = error.get("ctx", {}).get("expected")
    if expected is not None:
        names = [part.strip(" '") for part in str(expected).replace(" or ", ", ").split(",")]
        return did_you_mean(str(error["input"]), names)
    return _REMEDIES.get(
        error["type"], f"write a value that {_reason(error)}".replace("that should be", "that is")
    )
