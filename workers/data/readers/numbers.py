"""The number of a regression row."""

from __future__ import annotations

import math
import re
from typing import Any

from orchestrator.contracts.sameness import text_key
from orchestrator.errors import DataError

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def is_number(text: str) -> bool:
    """Return whether a text is a number with a decimal point, or whole."""
    return _NUMBER.fullmatch(text_key(text)) is not None


def finite_number(file: str, line: int, column: str, value: Any) -> float:
    """Return the number in a cell: a number of JSON or Parquet, or a text with a decimal point. Raises
    DataError, which names the column and never quotes the cell."""
    number = math.nan
    if isinstance(value, str):
        number = float(text_key(value)) if is_number(value) else math.nan
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    if not math.isfinite(number):
        problem = f"expected a finite number in the column {column!r}, got something else"
        fix = "write a number with a decimal point, remove the row, or set `on_bad_record: skip`"
        raise DataError(file, line, problem, fix)
    return number
