"""What the examples of a test part share their luck with: the patient, else the document, else said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind, Unit
from workers.data import read_split

NER, REL, CLS = TaskKind.NER, TaskKind.RELATION, TaskKind.CLASSIFICATION


def read(root: Path, kind: TaskKind, **reader: Any) -> tuple[list[str | None], Unit]:
    """The groups of the test part, row by row, numbered as they come, and what they are."""
    spec = TaskSpec.model_validate(
        {
            "name": "t",
            "title": "T",
            "kind": kind,
            "domain": "clinical",
            "reader": {"files": {"train": ["x"], "dev": ["x"], "test": ["test"]}} | reader,
            "metric": PRIMARY[kind],
            "negative_label": "no" if kind is REL else None,
        }
    )
    found = read_split(spec, Split.TEST, root)
    names = [example.group or example.document for example in found]
    [unit] = {example.unit for example in found}
    return [list(dict.fromkeys(names)).index(name) for name in names], unit


def write_arrow(root: Path, columns: dict[str, Any]) -> None:
    (root / "test").mkdir()
    table = pyarrow.table(columns)
    with (
        pyarrow.OSFile(str(root / "test" / "a.arrow"), "wb") as sink,
        pyarrow.ipc.new_stream(sink, table.schema) as out,
    ):
        out.write_table(table)
    (root / "test" / "state.json").write_text(json.dumps({"_data_files": [{"filename": "a.arrow"}]}))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("-DOCSTART-\n\na O\n\nb O\n\n-DOCSTART-\n\nc O\n", ([0, 0, 1], Unit.DOCUMENT)),
        ("a O\n\nb O\n", ([0, 1], Unit.SENTENCE)),
    ],
)
def test_conll_has_documents_where_they_are_marked(tmp_path, content, expected):
    (tmp_path / "test").write_text(content)
    assert read(tmp_path, NER, format="conll", separator="space") == expected


@pytest.mark.parametrize(
    ("kind", "columns", "expected"),
    [
        (CLS, {"id": "id"}, ([0, 0, 1], Unit.DOCUMENT)),
        (CLS, {}, ([0, 1, 2], Unit.TEXT)),
        (CLS, {"second_text": "second"}, ([0, 1, 0], Unit.TEXT)),
        (REL, {}, ([0, 1, 0], Unit.SENTENCE)),
    ],
)
def test_rows_go_by_their_id_else_by_what_they_repeat(tmp_path, kind, columns, expected):
    rows = [("7", "fever", "ill", "no"), ("7", "cough", "ill", "yes"), ("8", "fever", "well", "no")]
    names = ("id", "text", "second", "label")
    (tmp_path / "csv").mkdir()
    (tmp_path / "arrow").mkdir()
    (tmp_path / "csv" / "test").write_text("\n".join(map(",".join, [names, *rows])) + "\n")
    by_column = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    write_arrow(tmp_path / "arrow", by_column)
    wanted = {"text": "text", "label": "label", **columns}
    assert read(tmp_path / "csv", kind, format="csv", **wanted) == expected
    assert read(tmp_path / "arrow", kind, format="arrow", **wanted) == expected


def test_sentences_of_a_folder_go_by_a_column_that_says_which_note_they_are_of(tmp_path):
    write_arrow(tmp_path, {"tokens": [["a"], ["b"]], "ner_tags_str": [["O"], ["O"]], "note": [5, 5]})
    assert read(tmp_path, NER, format="arrow") == ([0, 1], Unit.SENTENCE)
    assert read(tmp_path, NER, format="arrow", id="note") == ([0, 0], Unit.DOCUMENT)


@pytest.mark.parametrize(
    ("before", "expected"), [("-", ([0, 0, 1], Unit.PATIENT)), (None, ([0, 1, 2], Unit.DOCUMENT))]
)
def test_the_records_of_a_patient_are_one_where_their_names_tell(tmp_path, before, expected):
    (tmp_path / "test").mkdir()
    for name in ("110-01", "110-02", "120-01"):
        record = "<r><TEXT><![CDATA[mild fever]]></TEXT><TAGS></TAGS></r>"
        (tmp_path / "test" / f"{name}.xml").write_text(record)
    assert read(tmp_path, NER, format="i2b2-xml", attribute="TYPE", patient_before=before) == expected
