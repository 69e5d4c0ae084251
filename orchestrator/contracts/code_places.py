"""Where an exception came from, without its words. Standard library only."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

_PLACES = 8  # innermost stack frames that are kept


def code_places(error: BaseException) -> tuple[str, ...]:
    """ "file:line function" of the innermost stack frames, innermost last. Files without what is above their
    package: no path of the machine."""
    frames = traceback.extract_tb(error.__traceback__)[-_PLACES:]
    return tuple(f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames)


def _short(file: str) -> str:
    path = Path(file)
    above = [Path(entry) for entry in sys.path if entry and path.is_relative_to(entry)]
    if not above:
        return path.name
    return path.relative_to(max(above, key=lambda entry: len(entry.parts))).as_posix()
