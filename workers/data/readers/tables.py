"""Read CSV and JSON-lines files: a text column, an optional second one, and the labels."""

from __future__ import annotations

import difflib
import io
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.contracts.readers import TableReader
from orchestrator.contracts.sameness import (
    NO_ID,
    Identity,
    id_key,
    spelling_fix,
    text_key,
    visible,
)
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import DataError
from workers.data.examples import MultilabelText, RegressionText, Text, labels_of
from workers.data.faults import Faults
from workers.data.files import is_unicode, lines, read_text
from workers.data.holdout import Selector, dealt_by, parts_by_sentence
from workers.data.labels import LONGEST
from workers.data.readers.delimited import Table, read_rows, repeats_names
from workers.data.readers.label_sets import flagged_labels, split_labels
from workers.data.readers.numbers import finite_number

_Row = Mapping[str, Any]


def read_table(
    path: Path,
    name: str,
    reader: TableReader,
    kind: TaskKind,
    labels: Collection[str] | None,
    faults: Faults,
    selected: Selector,
) -> Iterator[Text]:
    """Yield the selected rows of one file in order. `name` begins their document ids; `labels` None accepts
    any label. A document has the number of its first row, selected or not.

    Raises DataError at the first malformed row if `faults` does. Its line is the first line of the row.
    """
    rows = _csv_rows if reader.format == "csv" else _json_rows
    # Lines that are not rows count in the split of rows without an id.
    no_rows = faults if selected(NO_ID) else faults.of_other_splits()
    documents: dict[Identity, int] = {}
    identified = _identified(rows(path, reader, no_rows), reader, kind)
    for number, (line, row, identity) in enumerate(identified, start=1):
        document = documents.setdefault(identity, number) if reader.id else number
        if not selected(identity, _group(row, reader)):
            continue
        example = _example(path, line, row, reader, kind, labels, f"{name}#{document}")
        if isinstance(example, DataError):
            faults.found(example)
        else:
            for label in labels_of(example):
                faults.spelt(label, str(path), line)
            yield example


def _identified(
    rows: Iterator[tuple[int, _Row]], reader: TableReader, kind: TaskKind
) -> Iterator[tuple[int, _Row, Identity]]:
    """Yield each row with the identity that decides its split: its id, else its texts; for relations the
    first text."""
    columns = [column for column in (reader.text, reader.second_text) if column]
    by_sentence = parts_by_sentence(kind, reader)
    for line, row in rows:
        texts = [row.get(column) for column in columns]
        if by_sentence:
            yield line, row, Identity(texts[0]) if isinstance(texts[0], str) else NO_ID
        else:
            yield line, row, dealt_by(reader, texts) if reader.id is None else id_key(row.get(reader.id))


def _group(row: _Row, reader: TableReader) -> Identity | None:
    """Return what the column `by` of hold_out has."""
    by = None if reader.hold_out is None else reader.hold_out.by
    return None if by is None else id_key(row.get(by))


def _example(
    path: Path,
    line: int,
    row: Mapping[str, Any],
    reader: TableReader,
    kind: TaskKind,
    labels: Collection[str] | None,
    document: str,
) -> Text | DataError:
    try:
        if reader.format == "jsonl":
            _checked_names(path, reader, line, list(row))
        if reader.id is not None:
            _cell(path, line, row, reader.id, "id")
        if reader.hold_out is not None and reader.hold_out.by is not None:
            _cell(path, line, row, reader.hold_out.by, "group")
        present = [
            _merged(path, line, label, reader, labels) for label in _labels(path, line, row, reader, kind)
        ]
        number = 0.0
        if kind is TaskKind.REGRESSION:
            number = finite_number(str(path), line, str(reader.label), row[str(reader.label)])
        text = _cell(path, line, row, reader.text, "text")
        second = _cell(path, line, row, reader.second_text, "second text") if reader.second_text else None
    except DataError as error:
        return error
    if kind is TaskKind.REGRESSION:
        return RegressionText(text, second, "", document, value=number)
    if kind is TaskKind.MULTILABEL:
        return MultilabelText(text, second, "", document, labels=tuple(dict.fromkeys(present)))
    return Text(text, second, present[0], document)


def _labels(
    path: Path, line: int, row: Mapping[str, Any], reader: TableReader, kind: TaskKind
) -> Sequence[str]:
    """Return the labels of a row as they are in the file. Raises DataError."""
    if reader.label_columns:
        return flagged_labels(str(path), line, {column: row[column] for column in reader.label_columns})
    column = str(reader.label)
    if kind is TaskKind.REGRESSION:
        return []
    if kind is not TaskKind.MULTILABEL:
        return [_cell(path, line, row, column, "label")]
    items = split_labels(str(path), line, row[column], reader.label_separator)
    return [_cell(path, line, {column: item}, column, "label") for item in items]


def _merged(path: Path, line: int, label: str, reader: TableReader, labels: Collection[str] | None) -> str:
    """Return the label of the task that one of the file is merged into. Raises DataError."""
    label = reader.merge.get(label, label)
    if labels is None and len(label) > LONGEST:
        problem = f"the label is longer than {LONGEST} characters, and no `labels` are declared"
        fix = "check that `label` of the reader names the label column"
        raise DataError(str(path), line, problem, fix)
    if labels is not None and label not in labels:
        fix = "add it there, name another one for it under `merge` of the reader, or correct the row"
        problem = "a label that `labels` of the task does not hold"
        raise DataError(str(path), line, problem, spelling_fix(label, labels, fix))
    return label


def _columns(reader: TableReader) -> list[tuple[str, str]]:
    """Return the columns to read as (key of the reader, column)."""
    keys = ("text", "second_text", "label", "id")
    columns = [(key, column) for key in keys if (column := getattr(reader, key)) is not None]
    columns += [("label_columns", column) for column in reader.label_columns]
    by = None if reader.hold_out is None else reader.hold_out.by
    taken = {column for _, column in columns}
    return columns if by is None or by in taken else [*columns, ("hold_out.by", by)]


def _csv_rows(path: Path, reader: TableReader, faults: Faults) -> Iterator[tuple[int, dict[str, str]]]:
    content = io.StringIO(read_text(path), newline="")
    header = partial(_csv_names, path, reader)
    return read_rows(content, Table(str(path), header, reader.separator, keyed=True), faults)


def _json_rows(path: Path, reader: TableReader, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    selected = [column for _, column in _columns(reader)]
    for line, content in enumerate(lines(read_text(path)), start=1):
        if content.strip():
            row, duplicates = _parsed(content)
            if duplicates:
                # Any other key may be text from a row.
                used = [repr(key) for key in selected if key in duplicates]
                keys = ", ".join(used) or "one that the reader does not use"
                faults.found(DataError(str(path), line, f"duplicate key: {keys}", "keep one of them"))
            elif isinstance(row, dict):
                if repeats_names([row.get(column) for column in selected], selected):
                    faults.found(DataError(str(path), line, "it repeats the column names", "remove the line"))
                else:
                    yield line, row
            else:
                fix = "write one object a line: {…}"
                faults.found(DataError(str(path), line, "it is not a JSON object", fix))


def _parsed(content: str) -> tuple[Any, set[str]]:
    """Return the value (None if it is not JSON), and the keys that an object in it repeats. A JSONDecodeError
    contains the text and must not become a context."""
    duplicates: set[str] = set()

    def collected(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        duplicates.update(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return dict(pairs)

    try:
        return json.loads(content, object_pairs_hook=collected), duplicates
    except (ValueError, RecursionError):
        return None, set()


def _csv_names(path: Path, reader: TableReader, line: int, names: list[str]) -> list[str]:
    """Return `_checked_names` after removing blanks and invisible characters around the names."""
    lacking = {text_key(column): column for _, column in _columns(reader) if column not in names}
    return _checked_names(path, reader, line, [lacking.get(text_key(name), name) for name in names])


def _checked_names(path: Path, reader: TableReader, line: int, names: list[str]) -> list[str]:
    """Return the names if each expected column is among them exactly once. Raises DataError."""
    for key, column in _columns(reader):
        count = names.count(column)
        if count == 1:
            continue
        if count:
            raise DataError(str(path), line, f"the column {column!r} stands twice", "rename one of them")
        fix = f"{_guess(column, names, reader)}set `{key}` of the reader"
        raise DataError(str(path), line, f"there is no column {column!r}", fix)
    return names


def _guess(column: str, names: list[str], reader: TableReader) -> str:
    """Return a hint about the column that the user may mean. A file without a header has cells here, and the
    keys of an object may be names of patients, so only a name that differs in case and punctuation alone is
    quoted."""
    close = difflib.get_close_matches(column, names, n=1, cutoff=0.6)
    match = next((name for name in names if _letters(name) == _letters(column)), None)
    if match is not None:
        return f"did you mean {visible(match)}? "
    if close:
        return f"column {names.index(close[0]) + 1} of its {len(names)} has a name close to that: "
    header = "" if reader.format == "jsonl" else "add a header line if it has none, or "
    return f"none of its {len(names)} columns is close to that; {header}"


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _plain(value: Any) -> str | None:
    """Return a label or id as text: a string, a whole number, or a truth value in JSON notation."""
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, str | int) else None


def _cell(path: Path, line: int, row: Mapping[str, Any], column: str, role: str) -> str:
    value = row[column]
    if value is None:
        raise DataError(str(path), line, f"the {role} is empty", "fill it in, or remove the row")
    if role in ("label", "id", "group"):
        value = _plain(value) if role == "label" or not isinstance(value, bool) else None
    if not isinstance(value, str):
        raise DataError(str(path), line, f"the {role} is not of a type that is read", "use a JSON string")
    if not text_key(value):
        raise DataError(str(path), line, f"the {role} is empty", "fill it in, or remove the row")
    if not is_unicode(value):
        raise DataError(str(path), line, f"the {role} is not Unicode text", "remove the lone surrogate")
    return value
