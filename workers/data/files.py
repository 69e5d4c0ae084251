"""Read files as text. Problems of the disk and of the encoding become a DataError."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from orchestrator.errors import DataError

_CHECK = "check data_dir, and `files` of the task, which are paths below it"
_AS_CSV = "save the table as CSV in UTF-8"


def _converted(encoding: str, condition: str = "") -> str:
    return f"convert the file{condition}: iconv -f {encoding} -t UTF-8 FILE > COPY"


# Beginnings of files that are not text in UTF-8, what the files are, and the fix. Longer beginnings first.
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"version https://git-lfs", "a pointer of Git LFS in the place of the file", "run git lfs pull"),
    (b"\xff\xfe\x00\x00", "UTF-32 text", _converted("UTF-32")),
    (b"\x00\x00\xfe\xff", "UTF-32 text", _converted("UTF-32")),
    (b"\xff\xfe", "UTF-16 text", _converted("UTF-16")),
    (b"\xfe\xff", "UTF-16 text", _converted("UTF-16")),
    (b"\x1f\x8b", "a file compressed with gzip", "rename it so that it ends in .gz"),
    (b"PK\x03\x04", "a ZIP archive, as Excel workbooks are", _AS_CSV),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", _AS_CSV),
    (b"PAR1", "a Parquet file", "set `format: parquet` of the reader"),
)
TOO_LARGE = (
    "it unpacks to more than 100 times its size, which no text does",
    "fetch it again, and look at what it holds",
)
_LONGEST_BEGINNING = 512
_UNUSED_IN_1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark; unpack it if its name ends in
    .gz."""
    content, problem = _content(path)
    if problem is not None:
        raise DataError(str(path), None, *problem)
    if (foreign := foreign_kind(content)) is not None:
        raise DataError(str(path), None, *foreign)
    text, line = _decoded(content)
    if text is None:
        raise DataError(str(path), line, *_other_encoding(content))
    return text


def most_unpacked(path: Path) -> int:
    """Return the most bytes that a packed file may unpack to. Raises OSError."""
    return max(2**26, 100 * path.stat().st_size)


def lines(text: str) -> list[str]:
    """Cut at line feeds only: str.splitlines would also cut inside tokens that hold, say, U+2028."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def is_unicode(text: str) -> bool:
    """Return whether a text has no lone surrogate, which JSON can escape and tokenizers reject."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def json_value(content: str | bytes) -> Any:
    """Return the value, or None if it is not JSON. A JSONDecodeError contains the text and must not become a
    context."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def foreign_kind(beginning: bytes) -> tuple[str, str] | None:
    """Return the problem and the fix of a file whose beginning is not text in UTF-8, else None."""
    beginning = beginning[:_LONGEST_BEGINNING]
    for prefix, kind, fix in _BEGINNINGS:
        if beginning.startswith(prefix):
            return f"expected text in UTF-8, got {kind}", fix
    zeros = [beginning[offset::4].count(0) > 0.8 * (len(beginning) // 4) for offset in range(4)]
    for least, name in ((1, "LE"), (0, "BE")):
        # Three of the four bytes of a character in UTF-32 are zero.
        if len(beginning) > 7 and all(zeros[least : least + 3]):
            kind = "UTF-32 text without a byte order mark"
            return f"expected text in UTF-8, got {kind}", _converted(f"UTF-32{name}")
    for order, name in ((1, "LE"), (0, "BE")):
        # Every other byte of Western text in UTF-16 is zero.
        if len(beginning) > 3 and beginning[order::2].count(0) > 0.8 * (len(beginning) // 2):
            kind = "UTF-16 text without a byte order mark"
            return f"expected text in UTF-8, got {kind}", _converted(f"UTF-16{name}")
    return None


def _content(path: Path) -> tuple[bytes, tuple[str, str] | None]:
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path) as unpacked:
                content = unpacked.read(most_unpacked(path) + 1)
            return content, TOO_LARGE if len(content) > most_unpacked(path) else None
        return path.read_bytes(), None
    except FileNotFoundError:
        return b"", ("there is no such file", _CHECK)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        problem = f"it cannot be unpacked as gzip ({type(error).__name__})"
        return b"", (problem, "fetch a damaged file again, or rename one that is not compressed")
    except (OSError, ValueError) as error:
        return b"", (f"it cannot be read ({type(error).__name__})", _CHECK)


def _decoded(content: bytes) -> tuple[str | None, int]:
    """Return the text, or None and the line of the first bad byte.

    A UnicodeDecodeError carries the whole content, so it must not become the context of what is raised.
    """
    try:
        return content.decode("utf-8-sig"), 0
    except UnicodeDecodeError as error:
        return None, content.count(b"\n", 0, error.start) + 1


def _other_encoding(content: bytes) -> tuple[str, str]:
    """Return the problem and the fix of bytes that are not UTF-8. Western encodings accept almost any
    bytes."""
    used = frozenset(content)
    if used & _UNUSED_IN_1252 or 0 in used:
        return "it is not UTF-8 text", "convert the file to UTF-8"
    name = "Windows-1252" if any(0x80 <= byte < 0xA0 for byte in used) else "Latin-1 or Windows-1252"
    fix = _converted("WINDOWS-1252", ", if that is so")
    return f"it is not UTF-8 text; it may be {name}", fix
