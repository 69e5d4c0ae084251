"""Write invented notes as one record each: tables, the raw tables of MIMIC-III, and folders of `datasets`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from orchestrator.contracts.readers import ArrowReader, MimicNotesReader, TableReader
from orchestrator.contracts.separators import CHARACTERS
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from workers.data.holdout import part_of
from workers.demo.i2b2 import File, Naming, Numbered
from workers.demo.notes import OUTCOMES, Note

_DAYS = (2, 5, 10, 20)  # a stay of each class
_UNTOLD = ("none", "known", "as before")


def _labels(task: TaskSpec, notes: Sequence[Note]) -> list[str]:
    """Return the outcome of each note if the task uses outcomes as labels, else the task's labels in turn."""
    labels = task.labels or ((str(task.negative_label), "related") if task.negative_label else OUTCOMES)
    if set(OUTCOMES) <= set(labels):
        return [note.outcome for note in notes]
    return [label for label, _ in zip(cycle(labels), notes, strict=False)]


def _label_cells(
    task: TaskSpec, reader: TableReader | ArrowReader, notes: Sequence[Note]
) -> dict[str, list[Any]]:
    """Return the columns that hold the labels of the notes. For multilabel each label is that of every third
    note."""
    if task.kind is TaskKind.REGRESSION:
        return {str(reader.label): [str(_DAYS[OUTCOMES.index(note.outcome) % len(_DAYS)]) for note in notes]}
    if task.kind is not TaskKind.MULTILABEL:
        return {str(reader.label): list(_labels(task, notes))}
    labels = reader.label_columns or task.labels or OUTCOMES
    rows = [[label for j, label in enumerate(labels) if (i + j) % 3 == 0] for i in range(len(notes))]
    if reader.label_columns:
        return {column: [str(int(column in row)) for row in rows] for column in reader.label_columns}
    between = reader.label_separator
    return {str(reader.label): [row if between is None else between.join(row) for row in rows]}


def _texts(task: TaskSpec, note: Note) -> tuple[str, str]:
    """Return a text, and a second one for tasks of pairs. The text of a note has line breaks, as real notes
    do."""
    if task.kind is TaskKind.RELATION:
        return note.sentences[0].text, note.sentences[-1].text
    sentences = ["Invented admission note.", *(sentence.text for sentence in note.sentences)]
    return "\n".join(sentences), note.sentences[-1].text


def table_file(task: TaskSpec, reader: TableReader, numbered: Numbered) -> bytes:
    """Return one row per note; for a relation task, one sentence with its label."""
    rows = []
    identity = reader.id or "id"
    labels = _label_cells(task, reader, [note for _, note in numbered])
    for index, (number, note) in enumerate(numbered):
        text, second = _texts(task, note)
        row = {identity: str(number), reader.text: text}
        row |= {reader.second_text: second} if reader.second_text else {}
        rows.append(row | {column: cells[index] for column, cells in labels.items()})
    if reader.format == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in rows).encode()
    columns = [identity, reader.text, *filter(None, [reader.second_text]), *labels]
    separator = CHARACTERS[reader.separator or ","]
    return _csv(columns, [[row[column] for column in columns] for row in rows], separator)


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]], separator: str = ",") -> bytes:
    content = io.StringIO(newline="")
    csv.writer(content, quoting=csv.QUOTE_ALL, delimiter=separator).writerows([columns, *rows])
    return content.getvalue().encode()


def mimic_files(
    task: TaskSpec, reader: MimicNotesReader, names: Sequence[str], numbered: Numbered
) -> Iterator[File]:
    """Yield tables with an admission and a discharge summary per note; the number is the patient's. In every
    split the classes come in turn."""
    classes = {"mortality": ["0", "1"], "length-of-stay": list("0123")}.get(reader.outcome)
    classes = classes or list(task.labels or OUTCOMES)
    turns: dict[str, Iterator[int]] = {}
    tables: dict[str, list[list[str]]] = {
        "NOTEEVENTS": [["HADM_ID", "SUBJECT_ID", "CHARTDATE", "CATEGORY", "DESCRIPTION", "TEXT"]],
        "ADMISSIONS": [
            ["HADM_ID", "SUBJECT_ID", "ADMISSION_TYPE", "ADMITTIME", "DISCHTIME", "HOSPITAL_EXPIRE_FLAG"]
        ],
        "DIAGNOSES_ICD": [["HADM_ID", "SUBJECT_ID", "SEQ_NUM", "ICD9_CODE"]],
        "PROCEDURES_ICD": [["HADM_ID", "SUBJECT_ID", "SEQ_NUM", "ICD9_CODE"]],
    }
    for number, note in numbered:
        part = part_of(str(number), reader.hold_out)
        label_index = next(turns.setdefault(part, cycle(range(len(classes)))))
        stay = _DAYS[label_index] if reader.outcome == "length-of-stay" else 4
        died = str(int(reader.outcome == "mortality" and label_index == 1))
        identifiers, day = [str(100_000 + number), str(number)], f"2101-03-{1 + stay:02d}"
        tables["NOTEEVENTS"].append(
            [*identifiers, day, "Discharge summary", "Report", _summary(number, note)]
        )
        times = ["2101-03-01 08:00:00", f"{day} 07:00:00"]
        tables["ADMISSIONS"].append([*identifiers, "EMERGENCY", *times, died])
        tables["DIAGNOSES_ICD"].append([*identifiers, "1", f"9{label_index:02d}"])
        if label_index:  # a second code
            tables["PROCEDURES_ICD"].append([*identifiers, "1", f"8{label_index:03d}"])
    for name in names:
        first, *rows = tables[Path(name).name.upper().split(".")[0]]
        yield name, "", _csv(first, rows)
    if reader.groups:
        groups = [[f"9{label_index:02d}", name] for label_index, name in enumerate(classes)]
        yield reader.groups, "", _csv(["icd9_code", "group"], groups)


def _summary(number: int, note: Note) -> str:
    """Return a summary with its number, because equal texts would be treated as duplicates."""
    sentences = [sentence.text for sentence in note.sentences]
    return "\n\n".join(
        [
            f"Admission number: {number}",
            f"Chief Complaint:\n{sentences[0]}",
            "History of Present Illness:\n" + "\n".join(sentences[1:]),
            f"Past Medical History:\n{_UNTOLD[number % len(_UNTOLD)]}",
            "Hospital Course:\nInvented.",
        ]
    )


def arrow_files(
    task: TaskSpec, reader: ArrowReader, names: Sequence[str], numbered: Numbered, naming: Naming
) -> Iterator[File]:
    """Yield a folder or a Parquet file for each of the names, with labels as text."""
    ner = task.kind is TaskKind.NER
    for index, name in enumerate(names):
        part = numbered[index :: len(names)]
        notes = [note for _, note in part]
        columns = _sentences(reader, notes, naming) if ner else _rows(task, reader, notes)
        if reader.id is not None:
            columns[reader.id] = [
                number for number, note in part for _ in (note.sentences if ner else [note])
            ]
        if reader.format == "parquet":
            yield name, "", _parquet(columns)
            continue
        data = "data-00000-of-00001.arrow"
        yield name, data, _stream(columns)
        yield name, "state.json", json.dumps({"_data_files": [{"filename": data}]}).encode()
        yield name, "dataset_info.json", b"{}"


def _rows(task: TaskSpec, reader: ArrowReader, notes: Sequence[Note]) -> dict[str, list[Any]]:
    texts = [_texts(task, note) for note in notes]
    columns: dict[str, list[Any]] = {reader.text: [text for text, _ in texts]}
    if reader.second_text:
        columns[reader.second_text] = [second for _, second in texts]
    return columns | _label_cells(task, reader, notes)


def _sentences(reader: ArrowReader, notes: Sequence[Note], naming: Naming) -> dict[str, list[Any]]:
    tokens, tags = [], []
    for sentence in (sentence for note in notes for sentence in note.sentences):
        words = [(piece, word) for piece in sentence.pieces for word in enumerate(piece.text.split())]
        tokens.append([word for _, (_, word) in words])
        word_labels = [
            (number, naming.label(piece.entity) if piece.entity else None) for piece, (number, _) in words
        ]
        tags.append([f"{'I' if number else 'B'}-{label}" if label else "O" for number, label in word_labels])
    return {reader.tokens: tokens, reader.tags: tags}


def _parquet(columns: dict[str, list[Any]]) -> bytes:
    import pyarrow.parquet

    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    return sink.getvalue()


def _stream(columns: dict[str, list[Any]]) -> bytes:
    import pyarrow

    table = pyarrow.table(columns)
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()
