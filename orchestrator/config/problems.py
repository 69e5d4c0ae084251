"""Turn pydantic's errors into problems that a user can act on."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config.key_paths import KeyPath, home_of, key_path
from orchestrator.contracts.record import ProblemError, Record
from orchestrator.errors import Problem, did_you_mean

R = TypeVar("R", bound=Record)

_FIXES = {
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
class FieldProblem(Problem):
    """A problem of one field, with the path to its value in the raw input."""

    path: tuple[str | int, ...] = ()  # keys of the file, none of pydantic's own steps
    unknown_key: bool = False
    empty: bool = False

    @classmethod
    def at(cls, path: tuple[str | int, ...], problem: str, fix: str, **flags: bool) -> FieldProblem:
        return cls("", ".".join(map(str, path)), problem, fix, path=path, **flags)


def validate(model: type[R], raw: object, where: str = "") -> tuple[R | None, list[FieldProblem]]:
    """Return `raw` (plain JSON values) as `model`, or None and all problems, which are in the file `where`.

    Validation is strict: `true` is no number and `"3"` no integer. A list may be given for a tuple, as in
    JSON.
    """
    try:
        return model.model_validate_json(json.dumps(raw), strict=True), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    numbered = list[tuple[int, FieldProblem]]()  # by the index of the error, which follows the record
    mistyped: dict[tuple[str | int, ...], list[int]] = defaultdict(list)
    for number, e in enumerate(errors):
        key = key_path(model, raw, e["loc"])
        special = [_of_type(key.path, [e])] if e["type"] == _EMPTY else list(_special(model, raw, key, e))
        numbered += [(number, problem) for problem in special]
        if not special:
            mistyped[key.path].append(number)
    numbered += [(n[0], _of_type(path, [errors[i] for i in n])) for path, n in mistyped.items()]
    problems = [replace(problem, where=where) for _, problem in sorted(numbered, key=itemgetter(0))]
    return None, [p for p in problems if not (p.empty and _follows(p, problems))]


def _follows(problem: FieldProblem, problems: list[FieldProblem]) -> bool:
    """Return whether another problem causes this one: a list of wrong items also counts as empty."""
    return any(p is not problem and p.path[: len(problem.path)] == problem.path for p in problems)


def shown(value: object, limit: int = 60) -> str:
    """Return a value as a message quotes it."""
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _special(
    model: type[Record], raw: object, key_at: KeyPath, error: ErrorDetails
) -> Iterator[FieldProblem]:
    """Yield the problems of an error that is about more than the type of a value."""
    kind, path, context = error["type"], key_at.path, error.get("ctx", {})
    if kind == "value_error" and isinstance(context["error"], ProblemError):
        for inner in context["error"].problems:
            yield FieldProblem.at((*path, *_steps(inner.key)), inner.problem, inner.fix)
    elif kind == "value_error":
        yield FieldProblem.at(path, f"{context['error']}", "change one of the keys that this names")
    elif kind == "extra_forbidden":
        problem = f"unknown key, got {path[-1]}: {shown(error['input'])}"
        home = home_of(model, raw, path)
        fix = did_you_mean(str(path[-1]), key_at.keys) if home is None else f"write it {home}"
        yield FieldProblem.at(path, problem, fix, unknown_key=True)
    elif kind == "missing":
        fix = f"add this key: {key_at.meaning}" if key_at.meaning else "add this key"
        yield FieldProblem.at(path, "is missing", fix)
    elif kind == "union_tag_not_found":
        key = _discriminator(context)
        yield FieldProblem.at((*path, key), "is missing", f"add it, one of: {', '.join(key_at.tags(key))}")
    elif kind == "union_tag_invalid":
        key, tag = _discriminator(context), str(context["tag"])
        yield FieldProblem.at(
            (*path, key), f"unknown {key}, got {tag!r}", did_you_mean(tag, key_at.tags(key))
        )


def _of_type(path: tuple[str | int, ...], errors: Sequence[ErrorDetails]) -> FieldProblem:
    """Return one problem for a value of the wrong type: pydantic reports an error per allowed type."""
    reasons = list(dict.fromkeys(map(_reason, errors)))
    problem = " or ".join([reasons[0], *(reason.removeprefix("should be ") for reason in reasons[1:])])
    fix = _fix(errors[0]) if len(reasons) == 1 else "write one of these"
    empty = errors[0]["type"] == _EMPTY
    return FieldProblem.at(path, f"{problem}, got {shown(errors[0]['input'])}", fix, empty=empty)


def _steps(key: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in key.split(".") if part]


def _discriminator(context: dict[str, object]) -> str:
    return str(context["discriminator"]).strip("'")


def _reason(error: ErrorDetails) -> str:
    text = error["msg"].split(" ", 1)[1]  # "Input should be …", "String should …"
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    return text.split(" after ")[0]


def _fix(error: ErrorDetails) -> str:
    expected = error.get("ctx", {}).get("expected")
    if expected is not None:
        names = [part.strip(" '") for part in str(expected).replace(" or ", ", ").split(",")]
        return did_you_mean(str(error["input"]), names)
    return _FIXES.get(
        error["type"], f"write a value that {_reason(error)}".replace("that should be", "that is")
    )
