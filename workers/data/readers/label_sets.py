"""The labels of a multilabel row: a list, a text with a separator, or columns of 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.contracts.sameness import text_key
from orchestrator.errors import DataError

_GIVEN = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def split_labels(file: str, line: int, value: Any, separator: str | None) -> list[Any]:
    """Return the labels in a cell, as they are there; of a text those that are not blank. A null is no label.

    Raises DataError where a list was expected, or without one a text.
    """
    if value is None:
        return []
    if separator is None:
        if isinstance(value, list):
            return value
        fix = "write a list, or set `label_separator` of the reader if it is a text with several labels"
        raise DataError(file, line, "the labels are not a list", fix)
    if isinstance(value, list):
        fix = "remove `label_separator` of the reader, or write a text"
        raise DataError(file, line, "the labels are a list, and a separator is set", fix)
    if isinstance(value, str):
        return [part.strip() for part in value.split(separator) if text_key(part)]
    return [value]


def flagged_labels(file: str, line: int, cells: Mapping[str, Any]) -> list[str]:
    """Return the columns that hold 1 (or true), of `cells` by column. Raises DataError where one holds
    anything else than 0 and 1."""
    flags = {column: _GIVEN.get(text_key(str(value)).casefold()) for column, value in cells.items()}
    if (wrong := next((column for column, flag in flags.items() if flag is None), None)) is not None:
        problem = f"expected 0 or 1 in the label column {wrong!r}, got something else"
        raise DataError(file, line, problem, "write 0 or 1, or correct `label_columns` of the reader")
    return [column for column, flag in flags.items() if flag]
