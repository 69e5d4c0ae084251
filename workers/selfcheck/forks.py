"""A child process forked from a check, which ends with what it was forked for."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def fork(act: Callable[[], int | None]) -> int:
    """Return the id of a child that calls `act` and ends with the exit code that it gives, 0 for None. Where
    it raises, the child prints the error and ends with 1."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = act() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
