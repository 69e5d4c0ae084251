"""A write that found no room: a full disk, a disk quota, a limit on the size of a file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
NO_ROOM = FULL | {errno.EFBIG}
_DISK_IS_FULL = (
    "the disk is full, or a quota of it\n"
    "    -> free space where the sweep is stored, say by `frontier clean`; the same command then continues"
)
_FILE_IS_TOO_LARGE = (
    "a file grew beyond the limit of its size: that of the process (`ulimit -f`), or of the file system\n"
    "    -> raise that limit, or set storage to another file system; the same command then continues"
)


def no_room(error: BaseException) -> int | None:
    """Return ENOSPC, EDQUOT or EFBIG if that is why a write failed, else None.

    Libraries in Rust and C++ report it in the words of the system, and an archive of torch that cannot be
    closed hides it behind an error of its own.
    """
    for each in _chain(error):
        if isinstance(each, OSError):
            if each.errno in NO_ROOM:
                return each.errno
        elif number := next((n for n in sorted(NO_ROOM) if os.strerror(n) in str(each)), None):
            return number
    return None


def no_room_message(number: int) -> str:
    """Return what a trial says of the error `number`, with the fix."""
    return _FILE_IS_TOO_LARGE if number == errno.EFBIG else _DISK_IS_FULL


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
