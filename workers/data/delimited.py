"""CSV rows, one after another: quoted fields may hold line breaks, and a file may be larger than memory."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from orchestrator.errors import DataError
from workers.data.faults import Faults

_LONGEST_FIELD = 2**24  # characters; csv refuses fields above 2**17 unasked, and joined notes are longer


def read_rows(
    content: Iterable[str], file: str, faults: Faults, check: Callable[[int, list[str]], None]
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below the header, each with the line it begins on, by the header's names.

    `content` is the lines with their ends. `check` is given line and names of the header. Raises DataError
    where the quotes are broken: what follows such a row cannot be told from what is inside it.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(content, strict=True)
    header: list[str] | None = None
    while True:
        line = rows.line_num + 1
        cells, fault = _next(rows)
        if fault is not None:
            raise DataError(file, line, fault, 'quote texts with "…", and double the quotes inside them')
        if cells is None:
            return
        if header is None:
            header = cells
            check(line, header)
        elif cells and len(cells) != len(header):
            fault = f"{len(cells)} columns, where the header has {len(header)}"
            faults.found(DataError(file, line, fault, "quote texts that hold commas or line breaks"))
        elif cells:
            yield line, dict(zip(header, cells, strict=True))


def _next(rows: Iterator[list[str]]) -> tuple[list[str] | None, str | None]:
    """The next row, or None at the end; else the fault. A csv.Error may quote the text."""
    try:
        return next(rows, None), None
    except csv.Error:
        return None, "the row is not CSV (a quote that is not closed, or text beside a quoted field)"


def file_lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file with their ends, unpacked where its name ends in .gz; never the whole of it.

    Raises DataError where it cannot be read, unpacked or decoded.
    """
    raw = _raw_lines(path)
    line = 0
    while True:
        content, fault = _pulled(raw)
        if fault is not None:
            raise DataError(str(path), None, fault, "check data_dir, and `files` of the task; fetch it again")
        if content is None:
            return
        line += 1
        text = _decoded(content.removeprefix(b"\xef\xbb\xbf") if line == 1 else content)
        if text is None:
            raise DataError(str(path), line, "it is not UTF-8 text", "convert the file to UTF-8")
        yield text


def _raw_lines(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
        yield from stream


def _pulled(raw: Iterator[bytes]) -> tuple[bytes | None, str | None]:
    try:
        return next(raw, None), None
    except FileNotFoundError:
        return None, "there is no such file"
    except (OSError, ValueError, EOFError, zlib.error) as error:
        return None, f"it cannot be read ({type(error).__name__})"


def _decoded(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
