"""What is printed for people. A user's words are shown, never obeyed: no markup, no control characters."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.errors import printable


class Terminal(Console):
    """Takes `[...]` and `:name:` in a text for what they are, and spells control characters out."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render_str(self, text: str, **settings: Any) -> Text:
        return super().render_str(printable(text), **settings)


def styled(text: str, style: str = "") -> Text:
    """Return a piece of a line in a style of its own; print parts it from the rest by a space."""
    return Text(printable(text), style)


def print_json(value: Any) -> None:
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    print(json.dumps(value, indent=1, ensure_ascii=not unicode))  # escapes keep what `?` would lose


def plain_table(first: str, *numeric: str) -> Table:
    """Return a table without lines: a column of names, then right-aligned columns of numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in numeric:
        table.add_column(name, justify="right")
    return table
