"""The directory of one launch, deleted at its end: sockets and logs of Ray, files of Tune."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import LaunchError

_PREFIX = "frontier-ray-"
_LONGEST_TEMPORARY = 24  # characters: Ray puts Unix sockets 60 below it, and their paths end at 107
_LONGEST_TMPDIR = 60  # of what processes put sockets of their own into


@contextmanager
def local_directory() -> Iterator[Path]:
    """Yield a directory on this machine whose path is short enough for sockets. Those of launches that were
    killed are deleted. Raises LaunchError where there is none."""
    top = _short_temporary()
    _remove_leftovers(top)
    with _deleted_at_the_end(top, f"{_PREFIX}{os.getpid()}-") as directory:
        yield directory


@contextmanager
def shared_directory(top: Path) -> Iterator[Path]:
    """Yield a directory below `top`, which all machines see."""
    top.mkdir(parents=True, exist_ok=True)
    with _deleted_at_the_end(top, f".{_PREFIX}") as directory:
        yield directory


@contextmanager
def _deleted_at_the_end(top: Path, prefix: str) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=top)).absolute()
    try:
        with _short_tmpdir(directory):
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _short_temporary() -> Path:
    """Return a directory whose sockets have short enough paths. Raises LaunchError where there is none."""
    own = Path(tempfile.gettempdir())
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    # /tmp first: the other two are in memory, and systemd empties XDG_RUNTIME_DIR at logout.
    others = (Path("/tmp"), Path("/dev/shm"), *([Path(runtime)] if runtime else []))  # noqa: S108
    for top in (own, *others):
        if len(os.fsencode(top)) <= _LONGEST_TEMPORARY and os.access(top, os.W_OK | os.X_OK):
            return top
    raise LaunchError(
        f"TMPDIR is {len(os.fsencode(own))} characters long, too long for Ray's sockets, and none of "
        f"{', '.join(map(str, others))} can be written\n    -> set TMPDIR to a path of at most "
        f"{_LONGEST_TEMPORARY} characters"
    )


@contextmanager
def _short_tmpdir(directory: Path) -> Iterator[None]:
    """Give a folder below `directory` as TMPDIR to what starts meanwhile, where the user's is too long."""
    before = os.environ.get("TMPDIR")
    if before is None or len(os.fsencode(before)) <= _LONGEST_TMPDIR:
        yield
        return
    (directory / "t").mkdir(mode=0o700)
    try:
        os.environ["TMPDIR"] = tempfile.tempdir = str(directory / "t")
        yield
    finally:
        os.environ["TMPDIR"], tempfile.tempdir = before, None


def _remove_leftovers(top: Path) -> None:
    """Directories of launches that were killed: the number in their name is of no living process of ours."""
    for path in top.glob(f"{_PREFIX}*-*"):
        number = path.name.removeprefix(_PREFIX).split("-")[0]
        ours = path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid()
        if ours and number.isdigit() and not Path("/proc", number).exists():
            shutil.rmtree(path, ignore_errors=True)
