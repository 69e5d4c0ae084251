"""Count the cores of this machine."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return how many cores this process may use; all of the machine's on systems that have no such limit."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
