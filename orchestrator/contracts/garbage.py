"""Garbage collection that finds nothing."""

from __future__ import annotations

import atexit
import gc


def collect_none_at_exit() -> None:
    """Leave what is in memory at the end of this process to the operating system. Python would look through
    all of it for garbage, which takes a fifth of the CPU time of a process that does little but import
    torch. What is registered to be done at the exit is done."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
