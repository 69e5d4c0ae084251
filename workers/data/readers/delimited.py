"""Stream CSV rows: quoted fields may hold line breaks, and a file may be larger than memory."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

from orchestrator.contracts.sameness import text_key
from orchestrator.contracts.separators import (
    CHARACTERS,
    Separator,
    declared_separator,
    named,
    other_separator,
    seen,
    spaced,
)
from orchestrator.errors import DataError
from workers.data.faults import Faults
from workers.data.files import TOO_LARGE, foreign_kind, most_unpacked

_LONGEST_FIELD = 2**24  # characters; by default csv rejects fields above 2**17, and joined notes are longer
Header = Callable[[int, list[str]], list[str]]
_Row = TypeVar("_Row", str, list[str])


@dataclass(frozen=True)
class Table:
    """How to read a file of rows, and its name in messages."""

    file: str
    header: Header  # takes line and names of the header, returns the names to use; raises DataError
    separator: Separator | None = None  # None: the separator in a line `sep=;` above the header, else a comma
    keyed: bool = False  # whether the user can set `separator`


@dataclass(frozen=True, repr=False)
class _Dialect:
    header_line: str
    separator: str
    before: int  # lines above the header
    content: Iterator[str]  # from the header to the end

    def rows(self) -> Iterator[list[str]]:
        blanks = spaced(self.header_line, self.separator)
        return csv.reader(self.content, strict=True, delimiter=self.separator, skipinitialspace=blanks)


def read_rows(content: Iterable[str], table: Table, faults: Faults) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows below the header, each with its first line number. `content` is the lines with their
    ends.

    A row that repeats the header is a problem of its line. Raises DataError if quotes are broken (the rest of
    the file is then ambiguous), if the header does not fit, or if the file cannot be read to its end.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    dialect = _dialect(iter(content), table)
    rows = dialect.rows()
    head: list[str] | None = None
    names: list[str] = []
    while True:
        line = dialect.before + rows.line_num + 1  # type: ignore[attr-defined]
        cells, problem = _next(rows)
        if problem is not None:
            wrong = _wrong_separator(table, dialect, line) if head is None else None
            raise wrong or DataError(table.file, line, *problem)
        if cells is None:
            return
        if not cells:
            continue
        if head is None:
            names, head = _names(table, dialect, line, cells), _folded(cells)
        elif (row_problem := _misfit(table.file, line, cells, head)) is not None:
            faults.found(row_problem)
        else:
            yield line, dict(zip(names, cells, strict=True))


def _dialect(lines: Iterator[str], table: Table) -> _Dialect:
    """Read up to the header line and return it with the rest. Raises DataError."""
    selected = CHARACTERS[table.separator] if table.separator else None
    declared: str | None = None
    number = 0
    while True:
        line, broken = _next(lines)
        if broken is not None:
            raise DataError(table.file, number + 1, *broken)
        declaration = declared_separator(line) if line and number == 0 else None
        if declaration is not None and selected not in (None, declaration):
            problem = (
                f"it declares the separator {named(declaration)}, and `separator` of the reader is another"
            )
            raise DataError(
                table.file, 1, problem, f"set `separator: {named(declaration)}`, or remove that line"
            )
        if declaration is None and (line is None or text_key(line)):
            header = line or ""
            return _Dialect(
                header, selected or declared or ",", number, chain([header] * bool(header), lines)
            )
        declared = declared or declaration
        number += 1


def _names(table: Table, dialect: _Dialect, line: int, cells: list[str]) -> list[str]:
    """Return the column names. Raises DataError, which says if another separator would give the expected
    columns."""
    try:
        return table.header(line, cells)
    except DataError as error:
        wrong = error
    raise _wrong_separator(table, dialect, line) or wrong


def _wrong_separator(table: Table, dialect: _Dialect, line: int) -> DataError | None:
    """Return an error if another separator fits the header line, else None."""
    separator = other_separator(
        dialect.header_line, dialect.separator, lambda names: _fits(table, line, names)
    )
    if separator is None:
        return None
    separator_name = named(CHARACTERS[separator])
    fix = f"set `separator: {separator_name}` of the reader" if table.keyed else "save it with commas instead"
    return DataError(table.file, line, seen(dialect.header_line, dialect.separator, separator), fix)


def _fits(table: Table, line: int, names: Sequence[str]) -> bool:
    try:
        table.header(line, list(names))
    except DataError:
        return False
    return True


def repeats_names(cells: Sequence[object], columns: Sequence[str]) -> bool:
    """Return whether a row holds the names of its columns."""
    texts = [cell for cell in cells if isinstance(cell, str)]
    return len(texts) == len(columns) and _folded(texts) == _folded(columns)


def _folded(cells: Sequence[str]) -> list[str]:
    return [text_key(cell).casefold() for cell in cells]


def _misfit(file: str, line: int, cells: list[str], head: list[str]) -> DataError | None:
    """Return the problem of a row that does not fit the header. Raises DataError if the columns change their
    order: no later row could be trusted."""
    if len(cells) != len(head):
        message = f"{len(cells)} columns, where the header has {len(head)}"
        if any(cell.startswith(" ") and cell.lstrip(" ").startswith('"') for cell in cells):
            message += ", as a quote behind a space quotes nothing"
            return DataError(file, line, message, "remove the spaces that follow the separators")
        return DataError(file, line, message, "quote texts that hold separators or line breaks")
    folded = _folded(cells)
    if folded == head:
        return DataError(file, line, "it repeats the header", "remove the line")
    if sorted(folded) == sorted(head):
        problem = "it repeats the header with its columns in another order"
        raise DataError(file, line, problem, "write the columns in one order throughout the file")
    return None


def _next(rows: Iterator[_Row]) -> tuple[_Row | None, tuple[str, str] | None]:
    """Return the next row or line (None at the end), or the problem and its fix. A csv.Error may quote the
    text."""
    try:
        return next(rows, None), None
    except csv.Error:
        problem = "the row is not CSV (a quote that is not closed, or text beside a quoted field)"
        return None, (problem, 'quote texts with "…", and double the quotes inside them')
    except _TooLargeError:
        return None, TOO_LARGE
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        problem = f"the file cannot be read on as gzip ({type(error).__name__})"
        return None, (
            problem,
            "try gzip -t on it: fetch a damaged file again, or rename one that is not packed",
        )
    except OSError as error:
        return None, (f"the file cannot be read on ({type(error).__name__})", "check the disk it lies on")


def stream_rows(path: Path, faults: Faults, header: Header) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield `read_rows` of a file without loading it into memory; unpack it if its name ends in .gz.

    Bytes that are not UTF-8 become lone surrogates (PEP 383), so that they affect only one row. Raises
    DataError.
    """
    stream, problem = _opened(path)
    if stream is None:
        raise DataError(str(path), None, *problem)
    with closing(stream):
        content = _bounded(stream, most_unpacked(path)) if path.suffix.lower() == ".gz" else stream
        yield from read_rows(content, Table(str(path), header), faults)


class _TooLargeError(Exception):
    """A packed file unpacks to an absurd size or contains a line of that size."""


def _bounded(stream: io.TextIOBase, most: int) -> Iterator[str]:
    """Yield the lines up to a size. A small file may unpack to more than the memory holds, even in one
    line."""
    while line := stream.readline(min(most, _LONGEST_FIELD) + 1):
        most -= len(line)
        if most < 0 or len(line) > _LONGEST_FIELD:
            raise _TooLargeError
        yield line


def _opened(path: Path) -> tuple[io.TextIOBase | None, tuple[str, str]]:
    """Return the stream, or the problem and its fix."""
    keys = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
    fix = "check data_dir, and `files` of the task, paths below it"
    try:
        packed = path.suffix.lower() == ".gz"
        with path.open("rb") as source:
            foreign = None if packed else foreign_kind(source.read(512))
        if foreign is not None:
            return None, foreign
        if packed:
            return gzip.open(path, "rt", **keys), ("", "")  # type: ignore[call-overload]
        return path.open("rt", **keys), ("", "")  # type: ignore[call-overload]
    except FileNotFoundError:
        return None, ("there is no such file", fix)
    except (OSError, ValueError) as error:
        return None, (f"it cannot be read ({type(error).__name__})", fix)
