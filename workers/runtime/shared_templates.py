"""Templates that all slots of a launch on one machine fork from one process, `workers.runtime.fork_server`:
its imports take four CPU-seconds and 330 MB. Standard library only, because drivers import it.

The first slot starts the server; a lock decides which one that is. Slots that see GPUs have templates of
their own instead: what libraries ask while they are imported depends on which GPUs a process sees.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from orchestrator.contracts.child_processes import python_module

DESCRIPTORS = 2  # that a client sends: the ends of the pipes for requests and answers
_PREFIX, _DIGITS = "frontier-slots-", 16  # of the directory's name
_LONGEST = 107  # bytes in the path of a Unix socket
_WAITING = 1024  # clients that connect while the server still imports


class SharedTemplate:
    """The pipes to a template, named as those of a process. Raises OSError where `directory` cannot be made,
    locked or given a socket, or is open to another account."""

    def __init__(self, directory: Path, threads: int | None, environment: Mapping[str, str]) -> None:
        requests, to_requests = os.pipe()
        from_answers, answers = os.pipe()
        self.stdin: IO[bytes] = os.fdopen(to_requests, "wb")
        self.stdout: IO[bytes] = os.fdopen(from_answers, "rb")
        try:
            with _locked(directory):
                connection = _connection(directory, threads, environment)
            with connection:
                socket.send_fds(connection, [b"."], [requests, answers])
        finally:
            os.close(requests)
            os.close(answers)
        settings = {"environment": environment, "threads": threads}
        self.stdin.write(json.dumps(settings).encode() + b"\n")
        self.stdin.flush()

    def wait(self) -> None:
        """Wait until the template and its attempts have ended."""
        self.stdout.read()


def server_directory(launch: str) -> Path:
    """Return where the slots of a launch that share this process's machine, namespaces and control group find
    their server. Raises OSError where no directory can have a socket."""
    spaces = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "net", "pid", "user")]
    spaces += [Path("/proc/self/cgroup").read_text(), os.uname().nodename]  # machines may share TMPDIR
    name = _PREFIX + hashlib.sha256(" ".join([launch, *spaces]).encode()).hexdigest()[:_DIGITS]
    for top in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108, a directory of its own below it
        if len(os.fsencode(_socket_of(top / name))) <= _LONGEST and os.access(top, os.W_OK | os.X_OK):
            return top / name
    raise FileNotFoundError("no directory can have a socket")


@contextmanager
def _locked(directory: Path, operation: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold the lock in the directory, which is made where it is missing. Raises OSError where that fails, the
    directory is open to another account, or somebody has the lock and `operation` does not wait."""
    while True:
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        try:
            _refuse_open(directory)
            lock = (directory / "lock").open("w")
        except FileNotFoundError:  # the directory was deleted in the meantime
            continue
        with lock:
            fcntl.flock(lock, operation)
            if _is_there(lock, directory):
                yield
                return


def _refuse_open(directory: Path) -> None:
    """Raise PermissionError where the directory is open to other accounts, or is none of ours."""
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{directory} is not of this account alone")


def _is_there(lock: IO[str], directory: Path) -> bool:
    """Return whether the lock is still the file in the directory."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(lock.fileno()), (directory / "lock").stat())
    return False


def delete_unless(wanted: Callable[[], bool], directory: Path, operation: int = fcntl.LOCK_EX) -> bool:
    """Delete the directory, and return whether it is gone. While no client can connect, `wanted` says whether
    one has. A client that waits for the lock then makes the directory again. Raises OSError as `_locked`."""
    with _locked(directory, operation):
        if wanted():
            return False
        shutil.rmtree(directory, ignore_errors=True)
        return True


def _connection(directory: Path, threads: int | None, environment: Mapping[str, str]) -> socket.socket:
    """Connect to the server, and start it where there is none, or one that is dead. The lock is held."""
    if (connection := _connected(directory)) is not None:
        return connection
    _delete_leftovers(directory)
    path = str(_socket_of(directory))
    Path(path).unlink(missing_ok=True)
    arguments = [str(directory), *([str(threads)] if threads is not None else [])]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(_WAITING)
        subprocess.run(  # it ends once the server is on its own; where there is none, nobody listens
            python_module("workers.runtime.fork_server", *arguments),
            env=environment,
            stdin=listener.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    if (connection := _connected(directory)) is None:
        raise ConnectionRefusedError("the fork server did not start")
    return connection


def _connected(directory: Path) -> socket.socket | None:
    """Return a connection to the server in the directory, None where there is none."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(_socket_of(directory)))
    except OSError as error:
        connection.close()
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return None
        raise
    return connection


def _delete_leftovers(directory: Path) -> None:
    """Delete the directories of other launches whose server was killed."""
    for other in directory.parent.glob(_PREFIX + _DIGITS * "[0-9a-f]"):
        with suppress(OSError):  # it is of another account, or somebody has its lock
            if other != directory:
                delete_unless(partial(_has_server, other), other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _has_server(directory: Path) -> bool:
    connection = _connected(directory)
    if connection is not None:
        connection.close()
    return connection is not None


def _socket_of(directory: Path) -> Path:
    return directory / "socket"
