"""The texts that a user gives to an exported model. They are patient text: never log, print or store them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.contracts.exported import PredictRequest
from orchestrator.contracts.sameness import text_key
from orchestrator.contracts.separators import CHARACTERS, Separator, cells_of, other_separator
from orchestrator.errors import DataError
from workers.data.faults import Faults
from workers.data.files import is_unicode, json_value, lines, read_text
from workers.data.readers.delimited import Header, Table, read_rows, stream_rows

_SHOWN = 10  # rows of one problem that a message names
_AS_CSV: Any = {"encoding": "utf-8-sig", "errors": "surrogateescape", "newline": ""}
_LONGEST_HEADER = 2**20  # characters


@dataclass(frozen=True, repr=False)
class Given:
    """A text, or a pair of texts. `name`: of its file, where each text is one."""

    number: int  # from 1, in the order of the input
    text: str
    second_text: str | None = None
    name: str | None = None


def read_given(request: PredictRequest) -> list[Given]:
    """Return the texts in order. Raises DataError, which names rows and never quotes them."""
    path = Path(request.input)
    if request.format == "text":
        return _files(path)
    rows = _csv_rows(path, request) if request.format == "csv" else _json_rows(path, request)
    given, bad = [], []
    for number, (line, row) in enumerate(rows, start=1):
        cells = [row.get(column) for column in _columns(request)]
        texts = [cell for cell in cells if isinstance(cell, str) and text_key(cell) and is_unicode(cell)]
        if len(texts) < len(cells):
            bad.append(line)
        else:
            given.append(Given(number, texts[0], texts[1] if len(texts) > 1 else None))
    if bad:
        more = f" and {len(bad) - _SHOWN:,} more" if len(bad) > _SHOWN else ""
        named = f"lines {', '.join(map(str, bad[:_SHOWN]))}{more}" if len(bad) > 1 else f"line {bad[0]}"
        problem = f"{named}: expected a text in {' and '.join(map(repr, _columns(request)))}"
        raise DataError(str(path), None, problem, "fill it in, or remove the row")
    return _some(path, given)


def _columns(request: PredictRequest) -> list[str]:
    return [request.text, *([request.second_text] if request.second_text else [])]


def _csv_rows(path: Path, request: PredictRequest) -> Iterator[tuple[int, Mapping[str, Any]]]:
    def header(line: int, names: list[str]) -> list[str]:
        bare = [text_key(name) if name not in _columns(request) else name for name in names]
        for column, option in zip(_columns(request), ("--text", "--second-text"), strict=False):
            if bare.count(column) != 1:
                problem = "twice" if column in bare else f"not among its {len(names)} columns"
                fix = f"pass {option} with the name of the column that has the text"
                raise DataError(str(path), line, f"the column {column!r} is {problem}", fix)
        return bare

    separator = _separator(path, header)
    if separator is None:
        yield from stream_rows(path, Faults("error"), header)
        return
    with path.open("rt", **_AS_CSV) as content:
        yield from read_rows(content, Table(str(path), header, separator), Faults("error"))


def _separator(path: Path, header: Header) -> Separator | None:
    """Return the separator with which the header has the columns, None if commas do, or nothing does: a model
    may be of a table with semicolons, and this one comes without a reader that says so."""

    def fits(names: Sequence[str]) -> bool:
        try:
            header(1, list(names))
        except DataError:
            return False
        return True

    if path.suffix.lower() == ".gz" or not path.is_file():
        return None
    with path.open("rt", **_AS_CSV) as content:
        line = content.readline(_LONGEST_HEADER)
    if fits(cells_of(line, ",")):
        return None
    other = other_separator(line, ",", fits)
    return other if other is not None and fits(cells_of(line, CHARACTERS[other])) else None


def _json_rows(path: Path, request: PredictRequest) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for line, content in enumerate(lines(read_text(path)), start=1):
        if not content.strip():
            continue
        row = json_value(content)
        if not isinstance(row, dict):
            raise DataError(str(path), line, "it is not a JSON object", "write one object a line: {…}")
        for column, option in zip(_columns(request), ("--text", "--second-text"), strict=False):
            if column not in row:
                fix = f"pass {option} with the key that has the text"
                raise DataError(str(path), line, f"the key {column!r} is not among its {len(row)} keys", fix)
        yield line, row


def _files(path: Path) -> list[Given]:
    """Return one text per file. A file inside a folder is named by its number in messages."""
    if not path.is_dir():
        return _some(path, [Given(1, read_text(path), name=path.name)])
    given = []
    for number, file in enumerate(sorted(path.glob("*.txt")), start=1):
        try:
            text = read_text(file)
        except DataError as error:
            problem = error.fault
        else:
            if text_key(text):
                given.append(Given(number, text, name=file.name))
                continue
            problem = "it has no text"
        raise DataError(f"file {number} of {path}, by name", None, problem, "correct it, or move it away")
    return _some(path, given)


def _some(path: Path, given: list[Given]) -> list[Given]:
    if not given:
        raise DataError(str(path), None, "there is no text in it", "name a file with texts, one per row")
    return given
