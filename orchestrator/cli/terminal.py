"""What is printed for people. A user's words are shown, never obeyed: no markup, no control characters."""

from __future__ import annotations

from typing import Any

from rich.console import Console
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
