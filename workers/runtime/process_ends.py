"""What tells the end of a process. Standard library only, because drivers import it."""

from __future__ import annotations

import ctypes
import os

_PIDFD_OPEN = 434  # the number of the system call on every architecture that torch is built for


def open_process(process: int) -> int:
    """Return a descriptor that becomes readable once the process has ended. Raises OSError where there is no
    such process, and on Linux before 5.3, which has no such descriptors.

    Python has no function for it where it was built on an older Linux, as many of those that uv installs.
    """
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(process)
    descriptor = int(ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_OPEN, process, 0))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return descriptor
