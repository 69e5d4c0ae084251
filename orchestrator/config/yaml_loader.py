"""A YAML loader that reads what people mean: YAML 1.2 scalars, merge keys, plain values, bounded sizes.

PyYAML follows YAML 1.1, where `3e-5` is text, `no` is false, `012` is ten and `12:30` is a number. A learning
rate that arrives as text, or a label `no` that arrives as a truth value, is a trap; hence other resolvers.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import Resolver
from yaml.scanner import Scanner

_NULL, _BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))
_STR, _MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "merge"))

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
_DEEPEST = 60  # levels; Python's own stack ends at about a thousand calls
_LARGEST = 1_000_000  # characters that a file may expand to, once its aliases are filled in
_MOST_DIGITS = 300  # more than any float holds


class YamlProblem(yaml.MarkedYAMLError):
    """What this loader refuses beyond PyYAML, with its fix."""

    def __init__(self, problem: str, fix: str, mark: Any) -> None:
        super().__init__(None, None, problem, mark)
        self.fix = fix


class _PythonEvents(Reader, Scanner, Parser):
    """What libyaml does, where PyYAML was built without it."""

    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)


# libyaml is six times as fast.
_Events: Any = getattr(getattr(yaml, "cyaml", None), "CParser", _PythonEvents)


class Loader(Composer, _Events, SafeConstructor, Resolver):  # type: ignore[misc]
    """A safe loader that notes duplicate keys instead of silently keeping the last one."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  PyYAML's own name

    def __init__(self, stream: str) -> None:
        _Events.__init__(self, stream)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)
        self.duplicates: list[yaml.ScalarNode] = []  # the second of two equal keys
        self.anchored_at: list[int] = []  # characters before each value that has an anchor
        self._depth = 0
        self._sizes: dict[int, int] = {}  # by id of a node that is complete: its size, expanded

    def compose_node(self, parent: yaml.Node | None, index: int) -> Any:
        event: Any = self.peek_event()
        if self._depth > _DEEPEST:
            fix = f"keep to {_DEEPEST} levels"
            raise YamlProblem(f"nested more than {_DEEPEST} levels deep", fix, event.start_mark)
        self._depth += 1
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self._sizes:
                problem = f"the alias *{event.anchor} refers to the value that it is part of"
                raise YamlProblem(problem, "remove the alias", event.start_mark)
            return node
        if event.anchor is not None:
            self.anchored_at.append(event.start_mark.index)
        self._sizes[id(node)] = size = self._size(node)
        if size > _LARGEST:
            problem = f"expands to more than {_LARGEST:,} characters, its aliases filled in"
            raise YamlProblem(problem, "remove aliases of aliases", node.start_mark)
        return node

    def _size(self, node: yaml.Node) -> int:
        if isinstance(node, yaml.MappingNode):
            return 1 + sum(self._sizes[id(part)] for pair in node.value for part in pair)
        if isinstance(node, yaml.SequenceNode):
            return 1 + sum(self._sizes[id(part)] for part in node.value)
        return 1 + len(node.value)

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)
        self._refuse_tag(node, yaml.ScalarNode, node.value)
        foreign = next((c for c in node.value if c == "\0" or "\ud800" <= c <= "\udfff"), None)
        if foreign is not None:
            problem = f"a text holds U+{ord(foreign):04X}, which no text may hold"
            raise YamlProblem(problem, "remove it", node.start_mark)
        return node

    def compose_sequence_node(self, anchor: Any) -> yaml.SequenceNode:
        node: yaml.SequenceNode = super().compose_sequence_node(anchor)
        self._refuse_tag(node, yaml.SequenceNode, None)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        self._refuse_tag(node, yaml.MappingNode, None)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise YamlProblem("a list or a mapping as a key", "write text as the key", key.start_mark)
            if key.value in seen:
                self.duplicates.append(key)
            seen.add(key.value)
            if key.value == "<<" and not key.style:
                key.tag = _MERGE
        return node

    def _refuse_tag(self, node: yaml.Node, kind: type[yaml.Node], value: str | None) -> None:
        """Raise for a tag that is no plain value's, or that its value does not fit."""
        resolved = self.resolve(kind, value, (True, False))  # type: ignore[no-untyped-call]
        also = {_STR, _FLOAT if resolved == _INT else _STR} if kind is yaml.ScalarNode else set()
        if node.tag not in {resolved, *also}:
            problem = f"holds something else than text, numbers, lists and mappings: the tag {node.tag}"
            raise YamlProblem(problem, "remove the YAML tag", node.start_mark)


def _int(loader: Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    if len(text) > _MOST_DIGITS:
        raise YamlProblem(f"a number of {len(text):,} digits", "write a smaller number", node.start_mark)
    return int(text)


def _float(loader: Loader, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node))
    if text[-1] in "fFnN":
        return float(text.replace(".", "", 1))
    number = float(text)
    if math.isinf(number):
        raise YamlProblem(f"{text[:20]} is beyond all numbers", "write a smaller number", node.start_mark)
    return number


for _tag, _pattern, _first in _RESOLVERS:
    Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), _first)
Loader.add_constructor(_INT, _int)
Loader.add_constructor(_FLOAT, _float)
