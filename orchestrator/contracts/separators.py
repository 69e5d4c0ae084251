"""What separates the columns of a CSV file: what its first line says, and what it was read with."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from typing import Literal

from orchestrator.contracts.sameness import text_key

Separator = Literal[",", ";", "|", "tab"]

CHARACTERS: dict[Separator, str] = {",": ",", ";": ";", "|": "|", "tab": "\t"}
_PLURALS: dict[Separator, str] = {",": "commas", ";": "semicolons", "|": "bars", "tab": "tabs"}
# What Excel writes above the header, and reads there, whatever the country.
_DECLARED = re.compile(r'\s*"?sep=([,;|\t])"?\s*', re.IGNORECASE)


def declared_separator(line: str) -> str | None:
    """Return the character that a line like `sep=;` declares; None for any other line."""
    match = _DECLARED.fullmatch(line.lstrip("\ufeff").rstrip("\r\n"))
    return match[1] if match else None


def named(character: str) -> str:
    """Return how `separator` of a reader names a character: in quotes, or tab."""
    return "tab" if character == "\t" else f"'{character}'"


def spaced(line: str, separator: str) -> bool:
    """Return whether a space follows each separator of the header: then it belongs to the separator."""
    behind = [piece[:1] for piece in line.split(separator)[1:]]
    return bool(behind) and set(behind) == {" "}


def cells_of(line: str, separator: str) -> list[str]:
    """Return the names in a header line, without blanks around them; none if it is no CSV."""
    try:
        return [text_key(cell) for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return []


def other_separator(line: str, used: str, fits: Callable[[Sequence[str]], bool]) -> Separator | None:
    """Return the separator with which the header line gives what `fits` accepts; None unless there is exactly
    one.

    Where none does, that of a line of one column that holds another separator.
    """
    others = [name for name, character in CHARACTERS.items() if character != used and character in line]
    fitting = [name for name in others if fits(cells_of(line, CHARACTERS[name]))]
    if not fitting and len(cells_of(line, used)) == 1:
        return max(others, key=lambda name: line.count(CHARACTERS[name]), default=None)
    return fitting[0] if len(fitting) == 1 else None


def seen(line: str, used: str, other: Separator) -> str:
    """Describe in counts the content of a header line that was read with the wrong separator."""
    columns, count = len(cells_of(line, used)), line.count(CHARACTERS[other])
    others = _PLURALS[other] if count != 1 else _PLURALS[other].removesuffix("s")
    return f"it has {columns} column{'s' * (columns != 1)} and {count} {others}"
