"""One driver a sweep: an advisory lock that the system drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import LedgerError


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock; the file tells who does. Raises LedgerError, naming the holder, where it is taken."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LedgerError(
                f"{path.parent}: another driver is at work on this sweep: {_holder(path)}\n"
                "    -> wait until it is done, or end that process; its finished trials are kept"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def at_work(path: Path) -> str | None:
    """The process that holds the lock, without touching it; None where none does. One on another machine is
    taken at its word: only there could be seen that it was killed."""
    try:
        found = json.loads(path.read_text())
        pid, host = int(found["pid"]), str(found["host"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if host == socket.gethostname() and not _lives(pid):
        return None
    return f"process {pid} on {host}"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text())
        return f"process {int(found['pid'])} on {found['host']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has not written its number yet"
