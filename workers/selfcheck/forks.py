"""Fork a child process from a check; it ends when its work is done."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def fork(act: Callable[[], int | None]) -> int:
    """Return the id of a child that calls `act` and ends with the exit code that it returns, 0 for None. If
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
