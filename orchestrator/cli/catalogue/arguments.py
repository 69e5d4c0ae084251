"""The arguments of the commands that inspect an entry of the catalogue."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from orchestrator.config.yaml_sources import parse_yaml
from orchestrator.errors import Problem, did_you_mean


def unknown_name(name: str, names: Iterable[str], noun: str) -> Iterator[Problem]:
    """Yield a problem if `name` is not among the names of the catalogue."""
    entries = list(names)
    if name not in entries:
        fix = f"{did_you_mean(name, entries)} (entries of your own: --catalogue DIRECTORY)"
        if noun == "task" and Path(name).exists():
            fix = (
                f"a task is a YAML file that names your data: `frontier init {shlex.quote(name)}` writes one"
            )
        yield Problem("command line", noun, f"there is no {noun} {name!r}", fix)


def parse_settings(
    arguments: Sequence[str], keys: set[str] | None = None
) -> tuple[dict[str, Any], list[Problem]]:
    """Parse `key=value` arguments. With `keys`, only those are accepted and the values are text; else the
    values are YAML."""
    settings: dict[str, Any] = {}
    problems = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            problems.append(Problem("command line", argument, "is no key=value", "write it as key=value"))
        elif keys is None:
            settings[key], wrong = parse_yaml(value, "command line", key)
            problems += wrong
        elif key not in keys:
            problems.append(Problem("command line", key, "unknown key", did_you_mean(key, keys)))
        else:
            settings[key] = value
    return settings, problems
