"""Files: complete or absent, whatever kills the writer; who may read them, and what they hold."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

OTHER_ACCOUNTS = 0o077  # bits of a umask
OTHER_GROUPS = 0o007
# The fix where a link leads out of data_dir.
INTO_DATA_DIR = "set data_dir to a folder that holds what it leads to, or copy that there"
_PIECE_BYTES = 4 * 2**20  # of a file that is read with an ear to how far it is
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)  # what file systems without them say


def shut_out(others: int) -> None:
    """Give the bits of a umask no right to what this process and its children write from now on, beside those
    that its umask gives none already."""
    os.umask(os.umask(0o777) | others)


def current_umask() -> int:
    """Return that of this process; there is no way to ask for it but to set one."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def leads_out(path: Path, root: Path) -> bool:
    """Return whether the path, all links followed, is anywhere but below `root`. A loop of links is where it
    is: `Path.resolve` would raise."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def sha256_of(path: Path, hear: Callable[[int], None] | None = None) -> str:
    """Return the hexadecimal SHA-256 of a file. `hear` is called with the number of bytes of each piece that
    was read. Raises OSError."""
    with path.open("rb") as stream:
        if hear is None:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        digest = hashlib.sha256()
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
            hear(len(piece))
        return digest.hexdigest()


def file_digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of the files of a folder, by name; not of those in folders below it."""
    return {path.name: sha256_of(path) for path in sorted(directory.iterdir()) if path.is_file()}


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write beside `path`, flush to disk, rename. Text is UTF-8. Raises OSError.

    The name of the temporary file is random, so that two writers, on two machines even, never share one.
    """
    with _complete(path, content) as temporary:
        temporary.replace(path)


def write_once(path: Path, content: str | bytes) -> bool:
    """Write as `write_atomically` does, unless the file exists already; return whether it was written.

    Of several writers, on several machines, one wins. On a file system without hard links, that only holds if
    they do not write at the same moment.
    """
    with _complete(path, content) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as refused:
            if refused.errno not in _NO_LINKS:
                raise
            if path.exists():
                return False
            temporary.replace(path)
    return True


@contextmanager
def _complete(path: Path, content: str | bytes) -> Iterator[Path]:
    """Write the content to a file beside `path`; remove it afterwards unless it was renamed."""
    data = content.encode() if isinstance(content, str) else content
    with draft(path) as temporary:
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as failed:
            failed.filename = str(path)  # which only opening says
            raise
        yield temporary


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """Give a name beside `path` for what is renamed to it once it is complete: a file or a directory. The
    caller makes it, so the umask decides who may read it. What is left under that name is removed at the
    end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
