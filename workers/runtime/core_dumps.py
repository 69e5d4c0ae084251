"""Disable core dumps, because the memory of a worker holds patient text."""

from __future__ import annotations

import resource
import sys

# Linux takes 0 as a limit of core files, but not of cores that it pipes into a program (systemd-coredump,
# apport). A limit of one byte stops both: fs/coredump.c takes it for a crash of that program itself.
_LEAST = 1 if sys.platform == "linux" else 0


def forbid_core_dumps() -> None:
    """Disable core dumps of this process and of all processes that it starts, permanently."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    least = _LEAST if hard == resource.RLIM_INFINITY else min(_LEAST, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (least, least))
