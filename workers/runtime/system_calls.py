"""System calls for which Python has no function where it was built on an older Linux, as many of those were
that uv installs. Standard library only, because drivers import it."""

from __future__ import annotations

import ctypes
import errno
import os

_PIDFD_OPEN = 434  # the number of the call on every architecture that torch is built for


def open_process(process: int) -> int:
    """Return a descriptor that becomes readable once the process has ended. Raises OSError where there is no
    such process, and on Linux before 5.3, which has no such descriptors."""
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(process)
    return _descriptor("syscall", _PIDFD_OPEN, process, 0)


def open_memory(name: str) -> int:
    """Return the descriptor of an empty file in memory, which no file system shows and child processes
    inherit. Raises OSError where the system has none."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, 0)
    return _descriptor("memfd_create", name.encode(), 0)


def _descriptor(function: str, *arguments: int | bytes) -> int:
    """Return what a function of the C library answers. Raises OSError where that is none, or it has none."""
    answers = getattr(ctypes.CDLL(None, use_errno=True), function, None)
    descriptor = -1 if answers is None else int(answers(*arguments))
    if descriptor < 0:
        number = errno.ENOSYS if answers is None else ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return descriptor
