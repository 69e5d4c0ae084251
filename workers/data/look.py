"""Look at a data file that no task describes yet: its format, its columns, counts and lengths, never text."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from orchestrator.contracts.data_look import ColumnLook, DataLook, LookRequest
from orchestrator.contracts.sameness import text_key
from orchestrator.contracts.separators import CHARACTERS, Separator, cells_of, declared_separator
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import DataError
from workers.data.faults import Faults
from workers.data.files import json_value, lines, read_text
from workers.data.labels import is_identifying
from workers.data.look_conll import look_at_conll, refuse_other_tags, tags_of_words
from workers.data.look_labels import class_sizes, several_labels
from workers.data.masked import marks_a_pair
from workers.data.readers.arrow_folder import ArrowFolder
from workers.data.readers.columns import Columns
from workers.data.readers.delimited import Table, read_rows
from workers.data.readers.numbers import is_number
from workers.data.readers.parquet_file import ParquetFile

_LONGEST_NAME, _MOST_WORDS = 60, 4  # of a column's name; a longer one is a cell
SPLITS = {Split.TRAIN: ("train",), Split.DEV: ("dev", "validation", "valid"), Split.TEST: ("test",)}
_NEGATIVE = {"none", "no_relation", "norelation", "na", "n/a", "null", "negative", "unrelated", "false"}
_BY_HAND = "describe it by hand: docs/how-to/own-data.md shows the task files"
_Row = dict[str, Any]


def look(request: LookRequest) -> DataLook:
    """Return what a CSV, JSON-lines, CoNLL or Parquet file holds, or a folder of `save_to_disk`.

    Raises DataError for another kind of file, and for one that cannot be read.
    """
    path = Path(request.path)
    if path.is_dir():
        return _arrow(path)
    if path.suffix.lower() == ".parquet":
        return look_at_columns("parquet", ParquetFile(path))
    text = read_text(path)
    content = lines(text)
    begin = text.lstrip()[:1]
    if not begin:
        raise DataError(str(path), None, "it is empty", "name a file with rows")
    if begin == "[":
        fix = "write one object a line: jq -c '.[]' FILE > FILE.jsonl"
        raise DataError(str(path), None, "it is one JSON array", fix)
    if begin == "{":
        return _of_rows("jsonl", path, list(_json_rows(content)))
    if any(re.fullmatch(r"\d+\|[ta]\|.*", line) for line in content[:2]):
        raise DataError(str(path), None, "it holds PubTator documents, which init cannot read", _BY_HAND)
    if (tagged := look_at_conll(content)) is not None:
        return tagged
    refuse_other_tags(str(path), content)
    return _csv(path, text, content, request.separator)


def _csv(path: Path, text: str, content: Sequence[str], asked: Separator | None) -> DataLook:
    header = next((line for line in content if text_key(line) and declared_separator(line) is None), None)
    if header is None:
        raise DataError(str(path), None, "it has no line of columns", "add a header line and rows")
    declared = declared_separator(content[0])
    best = max(CHARACTERS, key=lambda name: len(cells_of(header, CHARACTERS[name])))
    comma = len(cells_of(header, ",")) == len(cells_of(header, CHARACTERS[best]))
    separator = asked or (None if declared or comma else best)
    table = Table(str(path), lambda line, names: _checked(path, line, names), separator, keyed=True)
    rows = list(read_rows(io.StringIO(text, newline=""), table, faults := Faults("skip")))
    if faults.count and not rows:  # say what is wrong with the first one
        rows = list(read_rows(io.StringIO(text, newline=""), table, Faults("error")))
    look = _of_rows("csv", path, [row for _, row in rows])
    if len(look.columns) < 2:
        problem = f"the first line has {len(look.columns)} column"
        fix = "give --separator, or a file with a text column and a label column"
        raise DataError(str(path), 1, problem, fix)
    return look.model_copy(update={"separator": separator})


def _checked(path: Path, line: int, names: list[str]) -> list[str]:
    """Return the names of a header. Raises DataError if they look like cells: no name may be text."""
    if not all(_is_name(name) or not text_key(name) for name in names):
        fix = "add a header line with the names of the columns"
        raise DataError(str(path), line, "the first line looks like a row, not like names of columns", fix)
    if len({text_key(name) for name in names}) < len(names):
        raise DataError(str(path), line, "two columns have the same name", "rename one of them")
    return [text_key(name) for name in names]


def _is_name(name: str) -> bool:
    key = text_key(name)
    if not key or len(key) > _LONGEST_NAME or key.count(" ") >= _MOST_WORDS or is_identifying(key):
        return False
    return not re.fullmatch(r"[-+]?[0-9.,]+", key)


def _json_rows(content: Sequence[str]) -> Iterator[_Row]:
    for line in content:
        if isinstance(row := json_value(line), dict):
            yield row


def _of_rows(file_format: str, path: Path, rows: Sequence[_Row], **keys: Any) -> DataLook:
    """Look at the columns. A column whose name is a value of its own looks like a file without a header."""
    if not rows:
        raise DataError(str(path), None, "there is no row in it", "check the file")
    names = Counter(name for row in rows for name in row)
    shown = [name for name, count in names.items() if 2 * count >= len(rows) and _is_name(name)]
    columns = [_column(name, [row[name] for row in rows if name in row]) for name in shown]
    if file_format == "csv" and any(name in _texts([row[name] for row in rows]) for name in shown):
        fix = "add a header line with the names of the columns"
        problem = "the first line looks like a row: one of its cells is also a value of its column"
        raise DataError(str(path), 1, problem, fix)
    if file_format == "jsonl" and len(rows) == 1:
        problem = "it has one row, so its keys may be values: names of patients, say"
        raise DataError(str(path), 1, problem, "name a file with one object a line, and more than one line")
    other = len(names) - len(shown)
    return DataLook(format=file_format, rows=len(rows), columns=tuple(columns), other_columns=other, **keys)


def _texts(values: Sequence[Any]) -> Counter[str]:
    plain = (json.dumps(value) if isinstance(value, bool) else value for value in values)
    texts = (text_key(str(value)) for value in plain if isinstance(value, str | int | float))
    return Counter(text for text in texts if text)


def _column(name: str, values: Sequence[Any]) -> ColumnLook:
    if any(isinstance(value, list) for value in values):
        lists = [value for value in values if isinstance(value, list)]
        lengths = sorted(map(len, lists)) or [0]
        tags = tags_of_words(item for value in lists for item in value)
        items = _texts([item for value in lists for item in value])
        return ColumnLook(
            name=name,
            filled=len(lists),
            distinct=len(items),
            lists=True,
            tags=tags,
            label_sizes=None if tags else class_sizes(items),
            **_lengths(lengths),
        )
    texts = _texts(values)
    lengths = sorted(len(text.split()) for text in texts.elements()) or [0]
    sizes = class_sizes(texts)
    separator, label_sizes = several_labels(texts)
    negative = [text for text in texts if text.casefold().replace("-", "_").replace(" ", "_") in _NEGATIVE]
    whole = all(isinstance(value, int) for value in values) and set(texts) == {*map(str, range(len(texts)))}
    marked = sum(count for text, count in texts.items() if marks_a_pair(text))
    return ColumnLook(
        name=name,
        filled=texts.total(),
        distinct=len(texts),
        marked=marked / max(1, texts.total()),
        sizes=sizes,
        label_sizes=label_sizes,
        label_separator=separator,
        numeric=bool(texts) and all(map(is_number, texts)),
        decimal_comma=any("," in text for text in texts)
        and all(is_number(text.replace(",", ".", 1)) for text in texts),
        numbered=len(texts) if whole else None,
        negative=negative[0] if sizes and len(negative) == 1 else None,
        **_lengths(lengths),
    )


def _lengths(words: Sequence[int]) -> dict[str, Any]:
    return {"mean_words": sum(words) / len(words), "long_words": words[int(0.95 * (len(words) - 1))]}


def _arrow(path: Path) -> DataLook:
    if (path / "state.json").is_file():
        return look_at_columns("arrow", ArrowFolder(path))
    present = {
        split: next((name for name in names if (path / name / "state.json").is_file()), None)
        for split, names in SPLITS.items()
    }
    folders = {str(split): name for split, name in present.items() if name is not None}
    if "train" not in folders:
        fix = "name a folder that datasets.save_to_disk wrote, or a CSV, JSON-lines, CoNLL or Parquet file"
        raise DataError(str(path), None, "it is no folder with a split train", fix)
    split = ArrowFolder(path / folders["train"])
    return look_at_columns("arrow", split).model_copy(update={"folders": folders})


def look_at_columns(format_name: Literal["arrow", "parquet", "hub"], columns: Columns) -> DataLook:
    """Return what typed columns hold, with numbers in place of which a class has a name by that name."""
    names = [name for name in columns.column_names() if _is_name(name)]
    rows = [dict(zip(names, cells, strict=True)) for cells in columns.rows(names)]
    classes = {name: columns.class_names(name) for name in names}
    for row in rows:
        for name, known in classes.items():
            row[name] = _named(row[name], known)
    return _of_rows(format_name, columns.path, rows)


def _named(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    if names and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    return value
