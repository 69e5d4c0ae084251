"""Parquet files give the examples that an Arrow folder with the same columns gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from arrow_folders import write_folder

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Text, inspect_task, read_split

MARKER = "Zzpatientword"
TEXTS = {"text": ["a", "b", "c", "d"], "label": ["x", "y", "x", "y"], "patient": [1, 1, 2, 3]}
SENTENCES = {"tokens": [["a", "b"], ["c"]], "ner_tags_str": [["B-x", "I-x"], ["O"]]}


def task(form: str, kind: TaskKind = TaskKind.CLASSIFICATION, **reader: Any) -> TaskSpec:
    file = "corpus/train.parquet" if form == "parquet" else "corpus/train"
    return TaskSpec.model_validate(
        {
            "name": "columns",
            "title": "Columns",
            "kind": kind,
            "domain": "clinical",
            "reader": {"format": form, "files": {"train": [file]}} | reader,
            "metric": PRIMARY[kind],
            "negative_label": "x" if kind is TaskKind.RELATION else None,
        }
    )


def write_parquet(root: Path, columns: dict[str, Any], features: Any = None) -> Path:
    path = root / "corpus" / "train.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(columns)
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    return path


@pytest.mark.parametrize(
    ("kind", "columns", "reader"),
    [
        (TaskKind.CLASSIFICATION, TEXTS, {"id": "patient"}),
        (TaskKind.CLASSIFICATION, TEXTS, {"hold_out": {"dev": 0.2, "test": 0.2}}),
        (TaskKind.RELATION, TEXTS, {}),
        (TaskKind.NER, SENTENCES, {}),
    ],
)
def test_they_are_read_as_an_arrow_folder_is(
    tmp_path: Path, kind: TaskKind, columns: dict[str, Any], reader: dict[str, Any]
) -> None:
    write_folder(tmp_path, columns)
    write_parquet(tmp_path, columns)
    folder, file = (
        read_split(task(form, kind, **reader), Split.TRAIN, tmp_path) for form in ("arrow", "parquet")
    )
    assert file
    documents = {example.document.rpartition("#")[2] for example in file}
    assert documents == {example.document.rpartition("#")[2] for example in folder}
    assert [repr({**vars(e), "document": ""}) for e in file] == [
        repr({**vars(e), "document": ""}) for e in folder
    ]


def test_numbered_classes_have_the_names_that_the_data_set_gives_them(tmp_path: Path) -> None:
    features = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    write_parquet(tmp_path, {"text": ["a", "b"], "label": [1, 0]}, features)
    examples = read_split(task("parquet"), Split.TRAIN, tmp_path)
    assert [example.label for example in examples if isinstance(example, Text)] == ["yes", "no"]
    write_parquet(tmp_path, {"text": ["a", "b"], "label": [1, 0]})
    with pytest.raises(DataError, match=r"nothing there names them[\s\S]*`names` of the reader"):
        read_split(task("parquet"), Split.TRAIN, tmp_path)


def test_truth_values_are_the_labels_that_json_lines_give(tmp_path: Path) -> None:
    write_parquet(tmp_path, {"text": ["a", "b"], "label": [True, False]})
    examples = read_split(task("parquet"), Split.TRAIN, tmp_path)
    assert [example.label for example in examples if isinstance(example, Text)] == ["true", "false"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def _garbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)  # within the first column's pages, the footer is whole
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_cut, "it is not a Parquet file"),
        (_garbled, "it cannot be read as a Parquet file with these columns"),
        (Path.unlink, "there is no such file"),
    ],
)
def test_a_damaged_file_is_one_problem_without_a_word_of_it(tmp_path: Path, damage: Any, words: str) -> None:
    path = write_parquet(tmp_path, {"text": [f"{MARKER} {n}" for n in range(9)], "label": list("xyxyxyxyx")})
    damage(path)
    with pytest.raises(DataError, match=words) as caught:
        inspect_task(task("parquet"), tmp_path)
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    write_parquet(tmp_path, {"text": ["a"], "kind": ["x"]})
    with pytest.raises(DataError, match="there is no column 'label'"):
        read_split(task("parquet"), Split.TRAIN, tmp_path)
