"""Rows with a number, in every form in which files have them."""

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
from orchestrator.errors import DataError
from workers.data import check_scorable, inspect_task, label_set, read_split
from workers.data.examples import RegressionText
from workers.tasks import target_scale

MARKER = "Zzpatientword"


def task(format_name: str = "csv", **keys: Any) -> TaskSpec:
    reader = {"format": format_name, "files": {"train": ("train",)}, "text": "text", "label": "days"}
    kind = ArrowReader if format_name == "parquet" else TableReader
    fields = {"metric": MetricName.MAE, "unit": "days"} | keys
    return TaskSpec(
        name="stay",
        title="Length of stay",
        kind=TaskKind.REGRESSION,
        domain="clinical",
        reader=kind.model_validate(reader),
        **fields,
    )


def values(root: Path, content: str, spec: TaskSpec) -> list[float]:
    (root / "train").write_text(content)
    return [row.value for row in read_split(spec, Split.TRAIN, root) if isinstance(row, RegressionText)]


def test_numbers_of_csv_and_json(tmp_path: Path) -> None:
    assert values(tmp_path, "text,days\na,3\nb, -1.5 \nc,2e1\n", task()) == [3.0, -1.5, 20.0]
    rows = "".join(json.dumps({"text": "t", "days": value}) + "\n" for value in (3, 0.5, "7"))
    assert values(tmp_path, rows, task("jsonl")) == [3.0, 0.5, 7.0]


def test_numbers_of_parquet(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"], "days": [1, 2]}), tmp_path / "train")
    rows = read_split(task("parquet"), Split.TRAIN, tmp_path)
    assert [row.value for row in rows if isinstance(row, RegressionText)] == [1.0, 2.0]


@pytest.mark.parametrize("cell", ["", MARKER, "nan", "inf", "1e999", "3,5", "1_000", "٣"])
def test_a_cell_without_a_finite_number_is_named_by_line_and_column_and_never_quoted(
    tmp_path: Path, cell: str
) -> None:
    with pytest.raises(DataError, match="expected a finite number in the column 'days'") as error:
        values(tmp_path, f'text,days\na,1\nb,"{cell}"\n', task())
    assert "line 3" in str(error.value)
    assert not cell or cell not in str(error.value)


def test_bad_cells_are_left_out_where_the_task_says_so(tmp_path: Path) -> None:
    assert values(tmp_path, "text,days\na,1\nb,x\n", task(on_bad_record="skip")) == [1.0]


def test_a_train_part_with_one_number_teaches_nothing(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("text,days\na,1\nb,1\n")
    with pytest.raises(DataError, match="all rows of train have the same number"):
        label_set(task(), read_split(task(), Split.TRAIN, tmp_path))


def rows(*numbers: float) -> list[RegressionText]:
    return [RegressionText("x", None, "", str(n), value=value) for n, value in enumerate(numbers)]


def test_the_scale_is_that_of_train() -> None:
    scale = target_scale(rows(1, 3))
    assert scale is not None
    assert (scale.mean, scale.deviation) == (2.0, 1.0)
    with pytest.raises(DataError, match="train_rows"):
        target_scale(rows(2, 2))


def test_a_correlation_needs_numbers_that_differ() -> None:
    spec = task(metric=MetricName.PEARSON)
    with pytest.raises(DataError, match="all of its rows have the same number"):
        check_scorable(spec, ("value",), {Split.DEV: rows(1, 1)})
    check_scorable(task(), ("value",), {Split.DEV: rows(1, 1)})


def test_inspect_shows_mean_and_deviation_and_no_number_of_a_row(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("text,days\na,1.25\nb,3.75\n")
    train = inspect_task(task(), tmp_path)["splits"]["train"]
    assert (train["mean"], train["deviation"], train["labels"]) == (2.5, 1.25, {})


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"labels": ("a", "b")}, "labels: belongs to tasks with classes"),
        ({"negative_label": "a"}, "negative_label: belongs to relation tasks"),
        ({"metric": MetricName.MACRO_F1}, "metric: macro_f1 does not exist for a regression task"),
    ],
)
def test_keys_of_classes_are_refused(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        task(**keys)


def test_a_unit_belongs_to_a_number() -> None:
    with pytest.raises(ValidationError, match="unit: belongs to regression tasks"):
        TaskSpec.model_validate(task().model_dump() | {"kind": "classification", "metric": "macro_f1"})
