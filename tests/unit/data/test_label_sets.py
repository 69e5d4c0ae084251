"""Rows with any number of labels, in every form in which files have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from pydantic import ValidationError

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import ArrowReader, TableReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import ConfigError, DataError
from workers.data import cap_rows, check_scorable, label_set, read_split
from workers.data.examples import MultilabelText, labels_of

MARKER = "Zzpatientword"
SEPARATED = "text,codes\nfirst,I10; E11\nsecond,\nthird,E11;E11\n"
EXPECTED = [["I10", "E11"], [], ["E11"]]
FILES = {"train": ("train",)}


def task(format_name: str, labels: tuple[str, ...] | None = None, **keys: Any) -> TaskSpec:
    reader = ArrowReader if format_name in ("arrow", "parquet") else TableReader
    return TaskSpec(
        name="codes",
        title="Codes",
        kind=TaskKind.MULTILABEL,
        domain="clinical",
        reader=reader.model_validate({"format": format_name, "files": FILES, "text": "text"} | keys),
        labels=labels,
        metric=MetricName.MICRO_F1,
    )


def read(root: Path, content: str, spec: TaskSpec) -> list[list[str]]:
    (root / "train").write_text(content)
    return [labels_of(example) for example in read_split(spec, Split.TRAIN, root)]


def test_a_column_with_a_separator(tmp_path: Path) -> None:
    spec = task("csv", label="codes", label_separator=";")
    assert read(tmp_path, SEPARATED, spec) == EXPECTED
    assert label_set(spec, read_split(spec, Split.TRAIN, tmp_path)) == ("E11", "I10")


def test_lists_in_json(tmp_path: Path) -> None:
    rows = [["I10", "E11"], None, ["E11", "E11"]]
    content = "".join(json.dumps({"text": "t", "codes": labels}) + "\n" for labels in rows)
    assert read(tmp_path, content, task("jsonl", label="codes")) == EXPECTED


def test_each_column_is_a_label_even_if_no_row_of_train_has_it(tmp_path: Path) -> None:
    spec = task("csv", label_columns=("Z00", "I10", "E11"))
    read(tmp_path, "text,I10,E11,Z00\na,1,1,0\nb,0,1,0\n", spec)
    assert label_set(spec, read_split(spec, Split.TRAIN, tmp_path)) == ("Z00", "I10", "E11")


def test_columns_of_0_and_1(tmp_path: Path) -> None:
    spec = task("csv", label_columns=("I10", "E11"))
    assert read(tmp_path, "text,I10,E11\na,1,true\nb,0,0\nc,0.0,1.0\n", spec) == EXPECTED


@pytest.mark.parametrize(
    ("keys", "columns"),
    [
        ({"label": "codes"}, {"codes": [["I10", "E11"], [], ["E11"]]}),
        ({"label": "codes", "names": ("I10", "E11")}, {"codes": [[0, 1], None, [1]]}),
        ({"label": "codes", "label_separator": ";"}, {"codes": ["I10;E11", "", "E11"]}),
        ({"label_columns": ("I10", "E11")}, {"I10": [1, 0, 0], "E11": [True, False, True]}),
    ],
    ids=["lists", "numbers", "texts", "columns"],
)
def test_columns_of_parquet(tmp_path: Path, keys: dict[str, Any], columns: dict[str, list[Any]]) -> None:
    table = pyarrow.table({"text": ["a", "b", "c"], **columns})
    pyarrow.parquet.write_table(table, tmp_path / "train")
    spec = task("parquet", **keys)
    assert [labels_of(row) for row in read_split(spec, Split.TRAIN, tmp_path)] == EXPECTED


@pytest.mark.parametrize(
    ("content", "keys", "problem"),
    [
        (f"text,I10\na,{MARKER}\n", {"label_columns": ("I10",)}, "expected 0 or 1 in the label column 'I10'"),
        (f"text,codes\na,{MARKER}{'x' * 60}\n", {"label": "codes", "label_separator": ";"}, "longer than 60"),
    ],
)
def test_a_bad_cell_is_named_by_its_line_and_never_quoted(
    tmp_path: Path, content: str, keys: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DataError, match=problem) as error:
        read(tmp_path, content, task("csv", **keys))
    assert "line 2" in str(error.value)
    assert MARKER not in str(error.value)


def test_a_text_is_not_taken_for_a_list_of_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a list") as error:
        read(tmp_path, json.dumps({"text": "t", "codes": MARKER}), task("jsonl", label="codes"))
    assert "label_separator" in str(error.value)
    assert MARKER not in str(error.value)


def test_a_label_that_is_not_declared_is_a_problem_of_its_row(tmp_path: Path) -> None:
    spec = task("csv", ("I10", "I11"), label="codes", label_separator=";")
    with pytest.raises(DataError, match="a label that `labels` of the task does not hold"):
        read(tmp_path, SEPARATED, spec)


@pytest.mark.parametrize(
    ("format_name", "keys", "key"),
    [
        ("csv", {"label": "codes"}, "label_separator"),
        ("csv", {}, "label"),
        ("csv", {"label": "codes", "label_columns": ("a",)}, "label"),
        ("csv", {"label_columns": ("a", "a")}, "label_columns"),
        ("jsonl", {"label_columns": ("a",), "label_separator": ";"}, "label_separator"),
    ],
)
def test_the_reader_says_where_the_labels_are_in_one_way(
    format_name: str, keys: dict[str, Any], key: str
) -> None:
    with pytest.raises(ValidationError) as error:
        task(format_name, **keys)
    assert f"reader.{key}" in str(error.value)


def test_a_row_of_a_classification_has_one_label_column() -> None:
    with pytest.raises(ValidationError, match="belongs to multilabel tasks"):
        TaskSpec.model_validate(
            task("csv", label="codes", label_separator=";").model_dump() | {"kind": "classification"}
        )


def rows(*labels: tuple[str, ...]) -> list[MultilabelText]:
    return [MultilabelText("x", None, "", str(n), labels=each) for n, each in enumerate(labels)]


def test_a_small_part_of_train_has_all_labels() -> None:
    examples = rows(*[("a",)] * 30, ("a", "b"), ("c",))
    assert {label for row in cap_rows(examples, 3) for label in labels_of(row)} == {"a", "b", "c"}
    with pytest.raises(ConfigError, match="train_rows"):
        cap_rows(examples, None, 2)


def test_a_split_without_any_label_cannot_be_scored() -> None:
    spec = task("csv", label="codes", label_separator=";")
    with pytest.raises(DataError, match="no row has a label"):
        check_scorable(spec, ("a", "b"), {Split.DEV: rows((), ())})
    by_area = spec.model_copy(update={"metric": MetricName.MACRO_AUROC})
    with pytest.raises(DataError, match="2 of the 3 labels have no row in it, or all rows"):
        check_scorable(by_area, ("a", "b", "c"), {Split.DEV: rows(("a",), ("a", "b"))})
