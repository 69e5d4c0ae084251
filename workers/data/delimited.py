"""CSV rows, one after another: quoted fields may hold line breaks, and a file may be larger than memory."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from orchestrator.errors import DataError
from workers.data.faults import Faults

_LONGEST_FIELD = 2**24  # characters; csv refuses fields above 2**17 unasked, and joined notes are longer
Header = Callable[[int, list[str]], list[str]]


def read_rows(
    content: Iterable[str], file: str, faults: Faults, header: Header
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below the header, each with the line it begins on.

    `content` is the lines with their ends. `header` is given line and names of the header, and answers with
    the names to use in the rows. Raises DataError where the quotes are broken, as what follows cannot be
    told from what is inside them, and where the file gives out.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    rows = csv.reader(content, strict=True)
    names: list[str] | None = None
    while True:
        line = rows.line_num + 1
        cells, fault = _next(rows)
        if fault is not None:
            raise DataError(file, line, *fault)
        if cells is None:
            return
        if names is None:
            names = header(line, cells)
        elif cells and len(cells) != len(names):
            other = f"{len(cells)} columns, where the header has {len(names)}"
            faults.found(DataError(file, line, other, "quote texts that hold commas or line breaks"))
        elif cells:
            yield line, dict(zip(names, cells, strict=True))


def _next(rows: Iterator[list[str]]) -> tuple[list[str] | None, tuple[str, str] | None]:
    """The next row, or None at the end; else the fault and its remedy. A csv.Error may quote the text."""
    try:
        return next(rows, None), None
    except csv.Error:
        fault = "the row is not CSV (a quote that is not closed, or text beside a quoted field)"
        return None, (fault, 'quote texts with "…", and double the quotes inside them')
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        fault = f"the file cannot be read on as gzip ({type(error).__name__})"
        return None, (
            fault,
            "try gzip -t on it: fetch a damaged file again, or rename one that is not packed",
        )
    except OSError as error:
        return None, (f"the file cannot be read on ({type(error).__name__})", "check the disk it lies on")


def stream_rows(path: Path, faults: Faults, header: Header) -> Iterator[tuple[int, dict[str, str]]]:
    """`read_rows` of a file, never the whole of it in memory; unpacked where its name ends in .gz.

    Bytes that are not UTF-8 come as lone surrogates (PEP 383), so that they spoil one row only. Raises
    DataError.
    """
    stream, fault = _opened(path)
    if stream is None:
        raise DataError(str(path), None, fault, "check data_dir, and `files` of the task, paths below it")
    with closing(stream):
        yield from read_rows(stream, str(path), faults, header)


def _opened(path: Path) -> tuple[io.TextIOBase | None, str]:
    keys = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
    try:
        if path.suffix.lower() == ".gz":
            return gzip.open(path, "rt", **keys), ""  # type: ignore[call-overload]
        return path.open("rt", **keys), ""  # type: ignore[call-overload]
    except FileNotFoundError:
        return None, "there is no such file"
    except (OSError, ValueError) as error:
        return None, f"it cannot be read ({type(error).__name__})"
