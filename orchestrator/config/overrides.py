"""`axis=value` arguments of the command line, laid over a sweep file.

What an argument does not name stays as the file says. What it takes away is told in a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeGuard

from orchestrator.config.catalogue import is_price_file
from orchestrator.config.problems import shown
from orchestrator.config.recipes import EITHER, RecipePatch
from orchestrator.config.resources import AutoResources
from orchestrator.config.schema import SpendingLimit, SweepConfig
from orchestrator.config.yaml_sources import parse_yaml
from orchestrator.contracts.record import Record
from orchestrator.contracts.resources import Resources
from orchestrator.errors import Problem, did_you_mean
from orchestrator.text_files import user_path

WHERE = "command line"

_NAMES = frozenset({"models", "domains", "tasks", "seeds"})  # axes of plain values
_LISTS = _NAMES | {"methods", "catalogues", "rules"}
_NESTED: dict[str, type[Record]] = {"recipe": RecipePatch, "resources": Resources, "budget": SpendingLimit}
_OPEN = frozenset({"axes", "storage_options"})  # their content is checked with the file
_PATHS = frozenset({"data_dir", "catalogues"})
_NARROWING = _NAMES | {"methods", "rules", "axes"}
_MOST_SEEDS = 10  # that are spelt out


@dataclass
class Applied:
    """What the arguments did. `methods`: those asked for, to be found among the file's once the catalogue is
    read."""

    keys: set[str] = field(default_factory=set)  # dotted
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # a sentence each
    methods: object = None


def apply(raw: dict[str, object], overrides: Sequence[str], cwd: Path, file: str) -> Applied:
    """Set the keys in `raw`, all but `methods`.

    A value is YAML. For a key that holds a list, `models=tiny,base` and `models=[tiny, base]` are the same; a
    mapping sets the keys that it names. Paths are relative to `cwd` here, and to the file if they are in it.
    """
    done, name = Applied(), Path(file).name
    for argument in overrides:
        key, equals, text = argument.partition("=")
        if not equals:
            fix = "write axis=value, say seeds=[1,2] or recipe.epochs=3"
            done.problems.append(Problem(WHERE, "", f"not an override, got {argument!r}", fix))
            continue
        if (wrong := _unknown(key, argument)) is not None:
            done.problems.append(wrong)
            continue
        value, problems = _read(key, text)
        done.problems += problems
        if problems:
            continue
        set_here = _keys(raw, key, value)
        if set_here & done.keys or key in done.keys:
            done.problems.append(Problem(WHERE, key, f"is set twice, got {argument!r}", "keep one of them"))
            continue
        _lay(raw, key, _absolute(value, cwd) if _is_path(key, value) else value, argument, name, done)
        done.keys |= set_here
    if any(key.split(".")[0] in _NARROWING for key in done.keys):
        raw.setdefault("partial", True)
    return done


def _unknown(key: str, argument: str) -> Problem | None:
    parent, _, leaf = key.rpartition(".")
    keys = _keys_under(parent)
    if leaf in keys or parent in _OPEN:
        return None
    if key.startswith("methods."):
        fix = "write the whole item: methods=[{name: full, learning_rate: 1e-4}]"
    elif short := [name for name in keys if leaf == "".join(word[0] for word in name.split("_"))]:
        fix = f"did you mean {f'{parent}.{short[0]}'.lstrip('.')!r}?"
    elif keys and parent:
        fix = re.sub(r"'(\w+)'", rf"'{parent}.\1'", did_you_mean(leaf, keys))
    elif inner := _inner(key):
        fix = f"did you mean {inner!r}?"
    else:
        fix = did_you_mean(key, SweepConfig.model_fields)
    return Problem(WHERE, key, f"unknown key, got {argument!r}", fix)


def _inner(key: str) -> str | None:
    """Return the key of a mapping that a key without its parent may mean: `recipe.epochs` for `epochs`."""
    for parent in _NESTED:
        for name in _keys_under(parent):
            if key in (name, "".join(word[0] for word in name.split("_"))):
                return f"{parent}.{name}"
    return None


def _keys_under(parent: str) -> list[str]:
    if not parent:
        return list(SweepConfig.model_fields)
    if parent == "resources":
        return [*Resources.model_fields, *AutoResources.model_fields]
    return list(_NESTED[parent].model_fields) if parent in _NESTED else []


def _read(key: str, text: str) -> tuple[object, list[Problem]]:
    if text.strip() == "*":
        fix = f"remove it: without it the sweep takes all {key} of the file"
        return None, [Problem(WHERE, key, "names nothing, got '*'", fix)]
    span = re.fullmatch(r"\s*\[?\s*(\d+)\s*(?:-|\.\.)\s*(\d+)\s*\]?\s*", text) if key == "seeds" else None
    if span is not None:
        spelt = ",".join(map(str, range(int(span[1]), int(span[2]) + 1)[:_MOST_SEEDS]))
        fix = f"write each seed: seeds={spelt}"
        return None, [Problem(WHERE, key, f"no list of seeds, got {text.strip()!r}", fix)]
    takes_several = key in _LISTS or key.startswith("axes.")
    listed = takes_several and not text.lstrip().startswith(("[", "- "))
    return parse_yaml(f"[{text}]" if listed else text, WHERE, key)


def _keys(raw: Mapping[str, object], key: str, value: object) -> set[str]:
    """Return the dotted keys that an argument sets."""
    return {f"{key}.{inner}" for inner in value} if _adds_to(value, key, raw.get(key)) else {key}


def _adds_to(value: object, key: str, old: object) -> TypeGuard[dict[str, object]]:
    """Return whether a mapping is merged into the file's, key by key. Resources that name a device and
    resources that say what each trial gets are different kinds and do not mix."""
    if not isinstance(value, dict) or not value or key not in (*_NESTED, *_OPEN):
        return False
    if not isinstance(old, dict):
        return old is None
    return key != "resources" or ("device" in old) == ("device" in value)


def _lay(raw: dict[str, object], key: str, value: object, argument: str, file: str, done: Applied) -> None:
    parent, _, leaf = key.rpartition(".")
    if key == "methods":
        done.methods = value
        return
    if _adds_to(value, key, raw.get(key)):
        for inner, inner_value in value.items():
            _lay(raw, f"{key}.{inner}", inner_value, f"{key}.{inner}={shown(inner_value)}", file, done)
        return
    holder = _mapping_below(raw, parent) if parent else raw
    if parent == "recipe":
        _take_back(holder, leaf, value, argument, file, done)
    _note(holder.get(leaf), key, value, argument, file, done)
    holder[leaf] = value


def _mapping_below(raw: dict[str, object], parent: str) -> dict[str, object]:
    mapping = raw.get(parent)
    if not isinstance(mapping, dict):
        mapping = raw[parent] = {}
    return mapping


def _take_back(
    recipe: dict[str, object], key: str, value: object, argument: str, file: str, done: Applied
) -> None:
    """Remove the file's keys that the overriding key excludes."""
    for group in EITHER if value is not None else ():
        for other in group if key in group else ():
            if other != key and f"recipe.{other}" not in done.keys and recipe.get(other) is not None:
                done.notes.append(f"{argument} replaces recipe.{other}={shown(recipe.pop(other))} of {file}")


def _note(old: object, key: str, value: object, argument: str, file: str, done: Applied) -> None:
    """Says what of the file an argument adds to or takes away, where the argument itself does not show it."""
    if key in _NAMES and isinstance(value, list):
        done.notes += _of_names(old, key, value, argument, file)
    elif isinstance(old, dict | list) and old and old != value and not key.startswith("axes."):
        text = f"the {len(old)} {key}" if key == "rules" and len(old) > 1 else f"{key}: {shown(old)}"
        done.notes.append(f"{_short(argument)} replaces {text} of {file}")


def _of_names(old: object, key: str, value: list[object], argument: str, file: str) -> list[str]:
    notes = []
    number = re.fullmatch(r"seeds=\s*(\d+)\s*", argument)
    if number is not None:
        count = int(number[1])
        notes.append(f"seeds={count} is one seed, number {count}")
        if 1 < count <= _MOST_SEEDS:
            spelt = ",".join(map(str, range(1, count + 1)))
            notes[0] += f"; for {count} seeds write seeds={spelt}"
    added = [str(item) for item in value if isinstance(old, list) and item not in old]
    if added:
        noun = (key[:-1] if len(added) == 1 else key) if key == "seeds" else ""
        verb = "is" if len(added) == 1 else "are"
        notes.append(f"{noun} {', '.join(added)} {verb} not in {file}: added".strip())
    return notes


def _short(argument: str) -> str:
    return argument if len(argument) <= 60 else f"{argument[:59]}…"


def _is_path(key: str, value: object) -> bool:
    return key in _PATHS or (key == "prices" and isinstance(value, str) and is_price_file(value))


def _absolute(value: object, cwd: Path) -> object:
    if isinstance(value, list):
        return [_absolute(item, cwd) for item in value]
    return str(user_path(cwd, value)) if isinstance(value, str) else value
