"""Reading YAML the way its readers expect: YAML 1.2 scalars, no key twice, plain values only.

PyYAML follows YAML 1.1, where `3e-5` is text, `no` is false, `012` is ten and `12:30` is a number. A learning
rate that arrives as text, or a label `no` that arrives as a truth value, is a trap; hence other resolvers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import yaml

from orchestrator.errors import Complaint, did_you_mean

_NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))

_RESOLVERS = (
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"[-+]?[0-9]+", list("-+0123456789")),
    (
        _FLOAT,
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
)


class _Loader(yaml.SafeLoader):
    """Safe, with YAML 1.2 scalars; notes keys that stand twice instead of keeping the last in silence."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own name

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.duplicates: list[tuple[str, int]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    self.duplicates.append((key.value, key.start_mark.line + 1))
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)))


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node))
    return float(text.replace(".", "", 1) if text[-1] in "fFnN" else text)


for _tag, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _first)
_Loader.add_constructor(_INT, _int)
_Loader.add_constructor(_FLOAT, _float)


def parse(text: str, where: str, key: str = "") -> tuple[Any, list[Complaint]]:
    """The value that `text` holds, None where it cannot be read, and the complaints about it."""
    loader = _Loader(text)
    try:
        value = loader.get_single_data()
        json.dumps(value)
    except yaml.YAMLError as error:
        return None, [Complaint(where, key, _fault(error), "correct the YAML there")]
    except (TypeError, ValueError):
        problem = "holds something else than text, numbers, lists and mappings, or contains itself"
        return None, [
            Complaint(where, key, problem, "remove the YAML tag, or the alias that refers to itself")
        ]
    finally:
        loader.dispose()
    twice = [
        Complaint(where, name, f"line {line}: the key {name!r} stands twice", "keep one of the two")
        for name, line in loader.duplicates
    ]
    return value, twice


def _fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    words = (getattr(error, "context", None), getattr(error, "problem", None))
    problem = ", ".join(filter(None, words)) or "unreadable"
    return f"not YAML: {problem}" if mark is None else f"line {mark.line + 1}: not YAML: {problem}"


def read_mapping(path: Path, where: str | None = None) -> tuple[dict[str, Any], list[Complaint]]:
    """The mapping that a file holds, empty where it cannot be read, and the complaints about it. `where` is
    what they call the file: as the user wrote it, where that is known."""
    where = where or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        remedy = did_you_mean(path.name, siblings) if siblings else "check the path: no YAML file lies there"
        return {}, [Complaint(where, "", "there is no such file", remedy)]
    except (OSError, UnicodeDecodeError) as error:
        return {}, [
            Complaint(where, "", f"unreadable ({type(error).__name__})", "give a readable UTF-8 file")
        ]
    value, complaints = parse(text, where)
    if complaints and value is None:
        return {}, complaints
    if not isinstance(value, dict):
        got = "nothing" if value is None else f"a {type(value).__name__}"
        return {}, [
            *complaints,
            Complaint(where, "", f"expected `key: value` lines, got {got}", "add the keys"),
        ]
    return cast(dict[str, Any], json.loads(json.dumps(value))), complaints
