"""A sweep file with mistakes: what is right in it is checked too, so that all problems are found at once."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence, Set
from typing import Any

from orchestrator.config.checks import AXES, STAND_IN
from orchestrator.config.problems import FieldProblem, validate
from orchestrator.config.schema import SweepConfig
from orchestrator.config.yaml_sources import OF_ANCHORS

# They replace what is missing or wrong, so that the rest of the file can still be checked.
_KEYS: dict[str, object] = {"name": "unnamed"} | {axis: [STAND_IN] for axis in AXES}
_ITEMS: dict[str | int, object] = {**dict.fromkeys(AXES, STAND_IN), "rules": {"match": {}, "set": {}}}


def validate_what_is_right(raw: dict[str, object]) -> tuple[SweepConfig, list[FieldProblem]]:
    """Return the config and its problems. If there are any, the config is what remains of the file without
    the wrong values, and serves only to find more problems."""
    config, problems = validate(SweepConfig, raw)
    if config is not None:
        return config, []
    rest = without(raw, problems)
    config, more = validate(SweepConfig, rest)
    if config is None:  # what is left of an item is none: the item goes, its neighbours stay
        rest = without(rest, [dataclasses.replace(problem, path=problem.path[:2]) for problem in more])
        config, more = validate(SweepConfig, rest)
    if config is None:
        wrong = {problem.path[0] for problem in more}
        rest = _KEYS | {key: value for key, value in rest.items() if key not in wrong}
        config, more = validate(SweepConfig, rest)
    assert config is not None, more
    return config, problems


def with_anchor_fix(problem: FieldProblem, anchored: Set[str]) -> FieldProblem:
    """Return the problem with the fix for an unknown key that was meant to define an anchor."""
    if not problem.unknown_key or problem.key not in anchored:
        return problem
    fix = f"begin its name with `{OF_ANCHORS}`, say `{OF_ANCHORS}{problem.key}`, to keep an anchor in it"
    return dataclasses.replace(problem, fix=fix)


def without(raw: dict[str, object], problems: Sequence[FieldProblem]) -> dict[str, object]:
    """Return a copy without the values that have a problem. The items of an axis keep their index."""
    rest = copy.deepcopy(raw)
    backwards = sorted({problem.path for problem in problems}, key=_sort_key, reverse=True)
    for path in backwards:
        holder: Any = rest
        for part in path[:-1]:
            holder = holder[part]
        if len(path) == 2 and path[0] in _ITEMS:
            holder[path[1]] = copy.deepcopy(_ITEMS[path[0]])
        elif isinstance(holder, dict):
            holder.pop(path[-1], None)
        else:
            del holder[path[-1]]
    return rest


def _sort_key(path: tuple[str | int, ...]) -> list[str]:
    return [str(part).zfill(9) for part in path]
