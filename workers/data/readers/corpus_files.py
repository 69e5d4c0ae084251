"""Read the files of a corpus from a directory or a .tar.gz archive, which is never unpacked to disk.

Files are often named after patients. Messages therefore number a file among those with its suffix, in the
order of their paths, and only `frontier task inspect` asks for the name.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.contracts.files import leads_out
from orchestrator.errors import DataError

MEMBER_BYTES = 2**24  # of one file: the largest note of these corpora is a thousandth of this size
ARCHIVE_BYTES = 2**28  # of an unpacked archive
_PLACE = re.compile(r"(?P<root>.+): (?P<suffix>\.\w+) file (?P<number>[0-9]+)", re.DOTALL)
# What tarfile, gzip and zlib raise for a damaged archive, or for bytes that are not an archive.
_BROKEN = (
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    RecursionError,
)


@dataclass(frozen=True, repr=False)
class Member:
    place: str  # for messages: the directory or archive and the number of the file, not its name
    path: PurePosixPath  # below the directory, or in the archive
    content: bytes

    def text(self) -> str | None:
        """Return the text, or None if it is not UTF-8."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None


def members(path: Path, suffixes: Collection[str]) -> list[Member]:
    """Return the regular files with one of the suffixes (".xml"), sorted by path.

    Hidden files and files below hidden directories are skipped; in archives also links and devices. Raises
    DataError if `path` is neither a directory nor an archive, if a file cannot be read or is absurdly large,
    or if a link leads out of the directory.
    """
    if path.is_dir():
        return [_read(path, *numbered) for numbered in _numbered(_in_directory(path, suffixes))]
    if path.is_file():
        contents = _in_archive(path, suffixes)
        return [Member(_location(path, *key), name, contents[name]) for key, name in _numbered(contents)]
    fix = "check data_dir, and `files` of the task, which are paths below it"
    raise DataError(str(path), None, "there is no such directory or archive", fix)


def file_name(location: str) -> str | None:
    """Return the path, within its directory or archive, of the file that a message calls `location`; None for
    any other text. Show it only on the terminal of the user who holds the corpus. Raises DataError."""
    match = _PLACE.match(location)
    if match is None:
        return None
    root, suffix = Path(match["root"]), match["suffix"]
    paths = _in_directory(root, [suffix]) if root.is_dir() else _in_archive(root, [suffix])
    names = {number: str(path) for (_, number), path in _numbered(paths)}
    return names.get(int(match["number"]))


def _numbered(paths: Iterable[PurePosixPath]) -> Iterator[tuple[tuple[str, int], PurePosixPath]]:
    """Yield the paths in order, each with its suffix and its number among the paths with that suffix."""
    counts: Counter[str] = Counter()
    for path in sorted(paths):
        suffix = path.suffix.lower()
        counts[suffix] += 1
        yield (suffix, counts[suffix]), path


def _location(root: Path, suffix: str, number: int) -> str:
    return f"{root}: {suffix} file {number}"


def _is_read(path: PurePosixPath, suffixes: Collection[str]) -> bool:
    return path.suffix.lower() in suffixes and not any(part.startswith(".") for part in path.parts)


def _read(root: Path, key: tuple[str, int], path: PurePosixPath) -> Member:
    place = _location(root, *key)
    content, problem = _content(root / path)
    if problem is not None:
        raise DataError(place, None, problem, "make it readable, or move it away")
    if len(content) > MEMBER_BYTES:
        problem = f"it is larger than {MEMBER_BYTES // 2**20} MiB, which no note is"
        raise DataError(place, None, problem, "check that it belongs to the corpus, else move it away")
    return Member(place, path, content)


def _in_directory(root: Path, suffixes: Collection[str]) -> list[PurePosixPath]:
    files, problem = _files(root)
    if problem is not None:
        raise DataError(str(root), None, problem, "make it readable")
    selected = [file for file in files if _is_read(PurePosixPath(file.relative_to(root)), suffixes)]
    if outside := sum(leads_out(file, root) for file in selected):
        problem = f"{outside} of its {len(selected)} files are reached by a link that leads out of it"
        raise DataError(str(root), None, problem, "copy them there, or name the directory they are in")
    return [PurePosixPath(file.relative_to(root)) for file in selected]


def _files(root: Path) -> tuple[list[Path], str | None]:
    try:
        return [path for path in _walk(root, frozenset()) if path.is_file()], None
    except OSError as error:
        return [], f"it, or a directory in it, cannot be read ({type(error).__name__})"


def _walk(directory: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Yield every path that is not a directory. Links are followed, but not in circles."""
    above |= {directory.resolve()}
    for path in directory.iterdir():
        if not path.is_dir():
            yield path
        elif not path.name.startswith(".") and path.resolve() not in above:
            yield from _walk(path, above)


def _content(file: Path) -> tuple[bytes, str | None]:
    try:
        with file.open("rb") as source:
            return source.read(MEMBER_BYTES + 1), None
    except OSError as error:
        return b"", f"it cannot be read ({type(error).__name__})"


def _in_archive(archive: Path, suffixes: Collection[str]) -> dict[PurePosixPath, bytes]:
    """Return the content of each file by path. If a path occurs twice, the later one wins, as when
    unpacking."""
    contents: dict[PurePosixPath, bytes] = {}
    problem = _unpack(archive, suffixes, contents)
    if problem is not None:
        fix = "name a directory or the .tar.gz as it was distributed; download a damaged one again"
        raise DataError(str(archive), None, problem, fix)
    return contents


def _unpack(archive: Path, suffixes: Collection[str], contents: dict[PurePosixPath, bytes]) -> str | None:
    """Fill `contents` and return the problem of the archive, if any. Errors of tarfile may quote a header."""
    try:
        with gzip.open(archive) as unzipped:
            limited = _Limited(unzipped)
            with tarfile.open(fileobj=limited, mode="r|") as content:
                for number, header in enumerate(content, start=1):
                    path = PurePosixPath(header.name)
                    if not header.isreg() or header.issparse() or not _is_read(path, suffixes):
                        continue
                    if header.size > MEMBER_BYTES:
                        return f"member {number} is larger than {MEMBER_BYTES // 2**20} MiB, which no note is"
                    member = content.extractfile(header)
                    if member is not None:
                        contents[path] = member.read()
            # The checksum comes after what tarfile reads.
            while limited.read(2**20):
                pass
    except _BROKEN:
        return (
            f"it is not a .tar.gz archive, is damaged, or unpacks to more than {ARCHIVE_BYTES // 2**20} MiB"
        )
    return None


class _Limited(io.RawIOBase):
    """Pass at most ARCHIVE_BYTES on: a small archive may unpack to more than the memory holds."""

    def __init__(self, source: gzip.GzipFile) -> None:
        super().__init__()
        self._source = source
        self._left = ARCHIVE_BYTES

    def read(self, size: int | None = -1) -> bytes:
        block = self._source.read(self._left + 1 if size is None or size < 0 else min(size, self._left + 1))
        self._left -= len(block)
        if self._left < 0:
            raise OSError("the archive is too large")
        return block
