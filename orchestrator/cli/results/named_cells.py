"""The cells that the words of a user name."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.contracts import layout
from orchestrator.contracts.trial import Cell


def cells_named(words: str, cells: Iterable[Cell]) -> list[Cell]:
    """Return the cells that `words` name: `tiny/clinical/full/ner`, without the task those of all tasks, or
    the path of a folder with records."""
    name = below_trials(words)
    return [cell for cell in dict.fromkeys(cells) if name in (cell.name, cell.label)]


def below_trials(words: str) -> str:
    """Return the name of a cell or trial that `words` give as such, or as the path of its folder."""
    return words.rstrip("/").rpartition(f"{layout.TRIALS}/")[2]
