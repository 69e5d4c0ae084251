"""Output for people, and JSON. A user's text is printed as it is: no markup, no control characters."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.errors import printable

_LONG_LINE = 500  # characters


class Terminal(Console):
    """Prints `[...]` and `:name:` in a text as they are, and spells control characters out."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, emoji=False)

    def render_str(self, text: str, **settings: Any) -> Text:
        return super().render_str(printable(text), **settings)


def styled(text: str, style: str = "") -> Text:
    """Return a piece of a line in a style of its own; print parts it from the rest by a space."""
    return Text(printable(text), style)


def table_terminal() -> Terminal:
    """Return a terminal for long tables: in a pipe or a file each row is one line, whole for `grep`."""
    terminal = Terminal()
    if not terminal.is_terminal and "COLUMNS" not in os.environ:
        terminal.width = _LONG_LINE
    return terminal


def print_json(value: object) -> None:
    """Print JSON on stdout, with escapes if its encoding lacks characters."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    print(json.dumps(value, indent=1, ensure_ascii=not unicode))


def plain_table(*names: str, title: str | None = None, numbers: Iterable[str] = ()) -> Table:
    """Return a table without lines: columns of names, then right-aligned columns of numbers."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table
