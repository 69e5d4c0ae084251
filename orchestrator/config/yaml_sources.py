"""Reading YAML: plain values, every problem with file, line and column, and the line of each key."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from orchestrator.config.yaml_loader import Loader
from orchestrator.errors import ConfigError, Problem
from orchestrator.text_files import control_characters, read_text

OF_ANCHORS = "x-"  # a key that begins so may hold anchors, and is read no further


@dataclass(frozen=True)
class YamlFile:
    """A mapping in a file, and the lines of its keys. The line of a merged key (`<<`) is where it is
    written."""

    raw: dict[str, object] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)  # by dotted key
    anchored: frozenset[str] = frozenset()  # the keys of the mapping itself whose values hold an anchor

    def placed(self, problems: Iterable[Problem], where: str) -> list[Problem]:
        """Return the problems; those in the file `where` get the line of their key, or of its parent."""
        return [
            c if c.where != where or c.line else dataclasses.replace(c, line=self._line(c.key))
            for c in problems
        ]

    def _line(self, key: str) -> int | None:
        parts = key.split(".")
        around = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        return next((self.lines[part] for part in around if part in self.lines), None)


def parse_yaml(text: str, where: str, key: str = "") -> tuple[object, list[Problem]]:
    """Return the value of `text`, None if it cannot be read, and its problems."""
    value, _, _, problems = _parse(text, where, key)
    return value, problems


def read_mapping(path: Path, where: str | None = None) -> tuple[YamlFile, list[Problem]]:
    """Return the mapping that a file holds, empty where it cannot be read, and the problems of it.

    `where` is what they call the file: as the user wrote it, where that is known. Keys of the file that begin
    with `x-` are left out: they hold what aliases refer to.
    """
    where = where or str(path)
    try:
        text = read_text(path, where)
    except ConfigError as error:
        return YamlFile(), list(error.problems)
    value, lines, anchored, problems = _parse(text, where, "")
    if problems and value is None:
        return YamlFile(), problems
    if not isinstance(value, dict):
        got = "an empty file" if value is None else f"a {_KINDS.get(type(value), 'value')}"
        problem = f"expected `key: value` lines, got {got}"
        return YamlFile(), [*problems, Problem(where, "", problem, "add the keys")]
    plain = json.loads(json.dumps(value))
    kept = {key: inner for key, inner in plain.items() if not key.startswith(OF_ANCHORS)}
    return YamlFile(kept, lines, anchored), problems


_KINDS = {list: "list", str: "text", int: "number", float: "number", bool: "truth value"}


def _parse(text: str, where: str, key: str) -> tuple[object, dict[str, int], frozenset[str], list[Problem]]:
    """Return the value, its lines by dotted key, its own keys that hold an anchor, and what is wrong."""
    if wrong := control_characters(text, where, key):
        located = [dataclasses.replace(w, line=None, column=None) if key else w for w in wrong]
        return None, {}, frozenset(), located
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        anchored = _anchored(node, loader.anchored_at)  # before what is merged moves in
        value = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the latter of `"\U99999999"`
        return None, {}, frozenset(), [_yaml_problem(error, where, key)]
    finally:
        loader.dispose()
    twice = [
        Problem(
            where,
            second.value,
            f"duplicate key {second.value!r}",
            "write `<<: [*one, *other]`" if second.value == "<<" else "keep one of the two",
            line=second.start_mark.line + 1,
        )
        for second in loader.duplicates
    ]
    return value, {} if node is None else dict(_lines(node, "")), anchored, twice


def _anchored(node: yaml.Node | None, places: Iterable[int]) -> frozenset[str]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return frozenset(
        key.value
        for key, value in pairs
        if any(key.start_mark.index < position <= value.end_mark.index for position in places)
    )


def _yaml_problem(error: Exception, where: str, key: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line, column = (None, None) if mark is None or key else (mark.line + 1, mark.column + 1)
    fix = getattr(error, "fix", None)
    if fix is not None:
        problem = str(getattr(error, "problem", ""))
    elif getattr(error, "problem", None) == "but found another document":
        problem, fix = "holds two YAML documents", "keep one, and write the other into a file of its own"
    elif isinstance(error, yaml.YAMLError):
        parts = (getattr(error, "context", None), getattr(error, "problem", None))
        problem, fix = f"not YAML: {', '.join(filter(None, parts)) or 'unreadable'}", "correct the YAML there"
    else:
        problem, fix = "not YAML: an escape like \\U99999999 names no character", "correct the escape"
    return Problem(where, key, problem, fix, line=line, column=column)


def _lines(node: yaml.Node, path: str) -> Iterator[tuple[str, int]]:
    """Yield each key below `node` with its line. What was merged comes first, so that a key beside it
    wins."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = f"{path}.{key.value}" if path else str(key.value)
            yield inner, key.start_mark.line + 1
            yield from _lines(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            inner = f"{path}.{number}" if path else str(number)
            yield inner, item.start_mark.line + 1
            yield from _lines(item, inner)
