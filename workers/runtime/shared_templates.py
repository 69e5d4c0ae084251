"""Templates that all slots of a launch on one machine fork from one process, `workers.runtime.fork_server`:
its imports take four CPU-seconds and 330 MB. Standard library only, because drivers import it.

The first slot starts the server; a lock decides which one that is. Slots that see GPUs have templates of
their own instead: what libraries ask while they are imported depends on which GPUs a process sees.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from orchestrator.contracts.child_processes import python_module
from orchestrator.errors import LaunchError

DESCRIPTORS = 2  # that a client sends: the ends of the pipes for requests and answers
_LONGEST = 107  # bytes in the path of a Unix socket
_WAITING = 1024  # clients that connect while the server still imports


class SharedTemplate:
    """The pipes to a template, named as those of a process. Its first request has to be `environment` and
    `threads`. Raises LaunchError where `directory` cannot be made or is of another account."""

    def __init__(self, directory: Path, threads: int | None, environment: Mapping[str, str]) -> None:
        requests, to_requests = os.pipe()
        from_answers, answers = os.pipe()
        self.stdin: IO[bytes] = os.fdopen(to_requests, "wb")
        self.stdout: IO[bytes] = os.fdopen(from_answers, "rb")
        try:
            with _locked(directory):
                self._connection = _connection(directory, threads, environment)
            socket.send_fds(self._connection, [b"."], [requests, answers])
        except OSError as error:
            raise LaunchError(
                f"no warm worker process can be shared through {directory} ({error.strerror})\n"
                "    -> check memory, and that TMPDIR is a directory of this machine with space"
            ) from error
        finally:
            os.close(requests)
            os.close(answers)

    def wait(self) -> None:
        """Wait until the template and its attempts have ended, and let the server end after the last one."""
        self.stdout.read()
        self._connection.close()


def server_directory(launch: str) -> Path | None:
    """Return where slots of a launch that share this process's namespaces and control group find their
    server; None where no directory can have a socket."""
    try:
        spaces = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "net", "pid", "user")]
        spaces.append(Path("/proc/self/cgroup").read_text())
    except OSError:
        return None
    name = f"frontier-{hashlib.sha256(' '.join([launch, *spaces]).encode()).hexdigest()[:16]}"
    for top in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108, a directory of its own below it
        if len(os.fsencode(_socket_of(top / name))) <= _LONGEST and os.access(top, os.W_OK | os.X_OK):
            return top / name
    return None


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the lock in the directory, which is made where it is missing. Raises LaunchError where another
    account can write to it."""
    while True:
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise LaunchError(f"{directory} is not of this account alone\n    -> remove it")
        try:
            lock = (directory / "lock").open("w")
        except FileNotFoundError:  # the directory was deleted in the meantime
            continue
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_there(lock, directory):
                yield
                return


def _is_there(lock: IO[str], directory: Path) -> bool:
    """Return whether the lock is still the file in the directory."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(lock.fileno()), (directory / "lock").stat())
    return False


def delete_unless(wanted: Callable[[], bool], directory: Path) -> bool:
    """Delete the directory, and return whether it is gone. While no client can connect, `wanted` says whether
    one has. A client that waits for the lock then makes the directory again."""
    with _locked(directory):
        if wanted():
            return False
        shutil.rmtree(directory, ignore_errors=True)
        return True


def _connection(directory: Path, threads: int | None, environment: Mapping[str, str]) -> socket.socket:
    """Connect to the server, and start it where there is none, or one that is dead. The lock is held."""
    path, connection = str(_socket_of(directory)), socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
        return connection
    except (FileNotFoundError, ConnectionRefusedError):
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
    connection.connect(path)
    return connection


def _socket_of(directory: Path) -> Path:
    return directory / "socket"
