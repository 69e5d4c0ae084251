"""Read examples from the columns of an Arrow folder or a Parquet file.

The ner folders of Taylor et al. 2024 hold tags twice, as text and as numbers, and beside the splits a folder
`info` whose one row lists the tags in the order of their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from orchestrator.contracts.readers import ArrowReader, HubReader
from orchestrator.contracts.sameness import NO_ID, Identity, id_key, spelling_fix
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import DataError
from workers.data.examples import Example, MultilabelText, RegressionText, Text, Tokens, labels_of
from workers.data.faults import Faults
from workers.data.files import is_unicode
from workers.data.holdout import Selector, dealt_by, parts_by_sentence
from workers.data.labels import LONGEST
from workers.data.readers.arrow_folder import ArrowFolder
from workers.data.readers.columns import Columns
from workers.data.readers.conll import check_tag
from workers.data.readers.delimited import repeats_names
from workers.data.readers.hub_files import HubSplit
from workers.data.readers.label_sets import flagged_labels, split_labels
from workers.data.readers.numbers import finite_number
from workers.data.readers.parquet_file import ParquetFile

_NUMBERED_TAGS = "ner_tags"  # the column of folders without ner_tags_str
_INFO, _ALL_TAGS = "info", "all_ner_tags"


def read_arrow(
    path: Path,
    name: str,
    reader: ArrowReader,
    kind: TaskKind,
    labels: Collection[str] | None,
    faults: Faults,
    selected: Selector,
) -> Iterator[Example]:
    """Yield the rows of one folder or file in order; `name` begins their document ids, and `labels` None
    accepts any label.

    Rows with the same `id` of the reader belong to one document, which has the number of the first of them,
    selected or not. Without `id` the selector gets the text, so
    that equal texts share a split. Raises DataError, whose line is the row, counted from 1.
    """
    source = columns_of(reader, path, name)
    present = source.column_names()
    tags = reader.tags if reader.tags in present else _NUMBERED_TAGS
    labelled = tags if kind is TaskKind.NER else reader.label
    texts = [reader.tokens] if kind is TaskKind.NER else [reader.text, *filter(None, [reader.second_text])]
    ids = [] if reader.id is None else [reader.id]
    by = [] if reader.hold_out is None or reader.hold_out.by is None else [reader.hold_out.by]
    label_columns = reader.label_columns or (labelled,)
    for column in (*texts, *label_columns, *ids, *by):
        if present.count(column) != 1:
            fix = "name the columns in the reader: text and label, or tokens and tags; id where there is one"
            raise DataError(str(path), None, f"there is no column {column!r}", fix)
    names = reader.names or source.class_names(label_columns[0])
    if not names and kind is TaskKind.NER and (path.parent / _INFO).is_dir():
        names = _listed_tags(ArrowFolder(path.parent / _INFO))
    by_sentence = parts_by_sentence(kind, reader)
    make = _maker(reader, kind, len(texts))
    documents: dict[Identity, int] = {}
    for number, cells in enumerate(source.rows([*texts, *label_columns, *ids, *by]), start=1):
        row = cells[: len(texts) + len(label_columns)]
        identity = id_key(cells[len(row)]) if ids else dealt_by(reader, row[: len(texts)])
        if by_sentence:
            identity = Identity(row[0]) if _is_text(row[0]) else NO_ID
        group = id_key(cells[-1]) if by else None
        document = documents.setdefault(identity, number) if ids else number
        if not selected(identity, group):
            continue
        if group == NO_ID:
            problem = f"the column {by[0]!r} of hold_out is empty, or not text or a number"
            faults.found(DataError(str(path), number, problem, "fill it in"))
            continue
        if ids and identity == NO_ID:
            faults.found(
                DataError(str(path), number, "the id is empty, or not text or a number", "fill it in")
            )
            continue
        example = make(str(path), number, row, names, labels, f"{name}#{document}")
        if repeats_names(row, [*texts, *label_columns]):
            example = DataError(str(path), number, "it repeats the column names", "remove the row")
        if isinstance(example, DataError):
            faults.found(example)
            continue
        for label in labels_of(example):
            faults.spelt(label, str(path), number)
        yield example


def _maker(reader: ArrowReader, kind: TaskKind, texts: int) -> Callable[..., Example | DataError]:
    """Return what makes an example of the cells of a row, the first of which are its `texts`."""
    if kind is TaskKind.NER:
        return _sentence
    if kind is TaskKind.REGRESSION:
        return partial(_valued, reader.label)
    return partial(_labelled, reader, texts) if kind is TaskKind.MULTILABEL else _text


def _text(
    file: str, row: int, cells: list[Any], names: Sequence[str], labels: Collection[str] | None, document: str
) -> Text | DataError:
    *texts, label = cells
    if not all(_is_text(text) and text.strip() for text in texts):
        return DataError(file, row, "a text is empty, or not text", "correct the row")
    try:
        label_name = _checked(file, row, label, names, labels)
    except DataError as error:
        return error
    return Text(texts[0], texts[1] if len(texts) > 1 else None, label_name, document)


def _valued(
    column: str,
    file: str,
    row: int,
    cells: list[Any],
    names: Sequence[str],
    labels: Collection[str] | None,
    document: str,
) -> RegressionText | DataError:
    """Return a regression example; `column` names the last cell."""
    *texts, value = cells
    if not all(_is_text(text) and text.strip() for text in texts):
        return DataError(file, row, "a text is empty, or not text", "correct the row")
    try:
        number = finite_number(file, row, column, value)
    except DataError as error:
        return error
    return RegressionText(texts[0], texts[1] if len(texts) > 1 else None, "", document, value=number)


def _labelled(
    reader: ArrowReader,
    columns: int,
    file: str,
    row: int,
    cells: list[Any],
    names: Sequence[str],
    labels: Collection[str] | None,
    document: str,
) -> MultilabelText | DataError:
    """Return a multilabel example; `columns`: how many of the cells are texts."""
    texts, given = cells[:columns], cells[columns:]
    if not all(_is_text(text) and text.strip() for text in texts):
        return DataError(file, row, "a text is empty, or not text", "correct the row")
    try:
        if reader.label_columns:
            present: list[Any] = [
                *flagged_labels(file, row, dict(zip(reader.label_columns, given, strict=True)))
            ]
        else:
            present = split_labels(file, row, given[0], reader.label_separator)
        checked = [_checked(file, row, label, names, labels) for label in present]
    except DataError as error:
        return error
    second = texts[1] if columns > 1 else None
    return MultilabelText(texts[0], second, "", document, labels=tuple(dict.fromkeys(checked)))


def _checked(file: str, row: int, value: Any, names: Sequence[str], labels: Collection[str] | None) -> str:
    """Return the name of a label. Raises DataError where it is none of the task's, or looks like text."""
    label_name = _label(file, row, value, names)
    if labels is None and len(label_name) > LONGEST:
        problem = f"the label is longer than {LONGEST} characters, and no `labels` are declared"
        raise DataError(file, row, problem, "check that `label` of the reader names the label column")
    if labels is not None and label_name not in labels:
        problem = "a label that `labels` of the task does not hold"
        fix = spelling_fix(label_name, labels, "add it there, or check `names` of the reader")
        raise DataError(file, row, problem, fix)
    return label_name


def _sentence(
    file: str, row: int, cells: list[Any], names: Sequence[str], types: Collection[str] | None, document: str
) -> Tokens | DataError:
    tokens, tags = cells
    if not isinstance(tokens, list) or not isinstance(tags, list) or not 0 < len(tokens) == len(tags):
        return DataError(file, row, "the tokens and tags are not two lists of one length", "correct the row")
    if not all(_is_text(token) and token.strip() for token in tokens):
        return DataError(file, row, "a token is empty, or not text", "correct the row")
    bio_tags: list[str] = []
    try:
        for tag in tags:
            bio_tags.append(_label(file, row, tag, names))
            check_tag(file, row, bio_tags[-1], bio_tags[-2] if len(bio_tags) > 1 else "O", types)
    except DataError as error:
        return error
    return Tokens(tuple(tokens), tuple(bio_tags), document)


def _label(file: str, row: int, value: Any, names: Sequence[str]) -> str:
    """Return the label as text, a truth value as JSON writes it. Raises DataError."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not names:
            fix = "set `names` of the reader: the labels in the order of their numbers"
            raise DataError(file, row, "the labels are numbers, and nothing there names them", fix)
        if not 0 <= value < len(names):
            raise DataError(
                file, row, f"a label outside the {len(names)} names", "check `names` of the reader"
            )
        value = names[value]
    if not _is_text(value) or not value.strip():
        problem = "a label that is empty, or not text"
        raise DataError(file, row, problem, "check which column `label` (for ner `tags`) of the reader names")
    return str(value).strip()


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_unicode(value)


def columns_of(reader: ArrowReader, path: Path, name: str) -> Columns:
    """Return the columns at `path`, which ends with `name`, in the format of the reader; nothing is opened
    yet."""
    if isinstance(reader, HubReader):
        return HubSplit(path.parents[len(PurePath(name).parts) - 1], name, reader)
    return ParquetFile(path) if reader.format == "parquet" else ArrowFolder(path)


def _listed_tags(folder: ArrowFolder) -> tuple[str, ...]:
    """Return the tags that the folder `info` lists. Raises DataError."""
    listed = next(folder.rows([_ALL_TAGS]), [None])[0] if _ALL_TAGS in folder.column_names() else None
    if not isinstance(listed, list) or not all(_is_text(tag) for tag in listed):
        fix = "set `names` of the reader: the tags in the order of their numbers"
        raise DataError(str(folder.path), None, f"its first row has no list {_ALL_TAGS!r}", fix)
    return tuple(listed)
