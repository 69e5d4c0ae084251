"""Invented notes as tables, as raw MIMIC-III tables and as saved folders: what is written can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import MadeNotes, TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data import Text, class_counts, label_set, read_split
from workers.data.examples import RegressionText
from workers.demo.corpora import write_task

CATALOGUE = Path(__file__).parents[3] / "configs" / "tasks"
SMALL = MadeNotes(train=24, dev=14, test=14)
FILES = {split: [f"corpus/{split}"] for split in ("train", "dev", "test")}
PAIRS = {"format": "jsonl", "text": "a", "second_text": "b", "label": "c"}


def made(kind: TaskKind, reader: dict[str, Any], labels: list[str] | None = None) -> TaskSpec:
    values: dict[str, Any] = {"name": "made", "title": "Made", "kind": kind, "domain": "clinical"}
    values |= {"negative_label": "none"} if kind is TaskKind.RELATION else {}
    return TaskSpec.model_validate(
        values
        | {"reader": {"files": FILES} | reader, "labels": labels, "made": SMALL, "metric": PRIMARY[kind]}
    )


def layouts() -> list[TaskSpec]:
    """Every layout of the catalogue's tasks that this module's formats cover."""
    found = []
    for name in ("mimic-mortality", "mimic-los", "icd9-triage", "mednli"):
        spec = TaskSpec.model_validate(
            yaml.safe_load((CATALOGUE / f"{name}.yaml").read_text()) | {"name": name}
        )
        for reader in (spec.reader, *spec.layouts):
            found.append(spec.model_copy(update={"reader": reader, "layouts": (), "made": SMALL}))
    return found


@pytest.mark.parametrize("task", layouts(), ids=lambda task: f"{task.name}-{task.reader.format}")
def test_every_split_of_a_catalogued_layout_holds_every_label(tmp_path: Path, task: TaskSpec) -> None:
    write_task(task, tmp_path)
    sizes = {Split.TRAIN: SMALL.train, Split.DEV: SMALL.dev, Split.TEST: SMALL.test}
    for split, size in sizes.items():
        examples = read_split(task, split, tmp_path)
        assert len(examples) == size
        assert class_counts(examples).keys() == set(task.labels or ())
    assert label_set(task, read_split(task, Split.TRAIN, tmp_path)) == task.labels


@pytest.mark.parametrize("name", ["mimic-codes", "mimic-stay-days"])
def test_every_split_of_the_catalogues_other_kinds_can_be_read(tmp_path: Path, name: str) -> None:
    spec = TaskSpec.model_validate(yaml.safe_load((CATALOGUE / f"{name}.yaml").read_text()) | {"name": name})
    for number, reader in enumerate((spec.reader, *spec.layouts)):
        task = spec.model_copy(update={"reader": reader, "layouts": (), "made": SMALL})
        root = tmp_path / str(number)
        write_task(task, root)
        examples = [example for split in Split for example in read_split(task, split, root)]
        assert len(examples) == SMALL.train + SMALL.dev + SMALL.test
        if spec.kind is TaskKind.REGRESSION:
            assert len({e.value for e in examples if isinstance(e, RegressionText)}) > 1
        else:
            assert len(label_set(task, read_split(task, Split.TRAIN, root))) > 1


@pytest.mark.parametrize(
    ("kind", "reader"),
    [
        (TaskKind.CLASSIFICATION, PAIRS),
        (TaskKind.RELATION, PAIRS | {"second_text": None, "format": "csv"}),
        (TaskKind.CLASSIFICATION, {"format": "arrow", "second_text": "more"}),
        (TaskKind.RELATION, {"format": "arrow", "text": "sentence", "label": "labels"}),
        (TaskKind.NER, {"format": "arrow"}),
        (TaskKind.CLASSIFICATION, {"format": "parquet", "second_text": "more"}),
        (TaskKind.NER, {"format": "parquet"}),
    ],
)
@pytest.mark.parametrize("labels", [None, ["none", "test", "y", "problem"]])
def test_other_tasks_get_their_own_labels(
    tmp_path: Path, kind: TaskKind, reader: dict[str, Any], labels: list[str] | None
) -> None:
    task = made(kind, reader, labels)
    write_task(task, tmp_path)
    for split in Split:
        examples = read_split(task, split, tmp_path)
        assert len(examples) >= {"train": SMALL.train, "dev": SMALL.dev, "test": SMALL.test}[split]
        assert not labels or class_counts(examples).keys() <= set(labels)
        pair = reader.get("second_text") is not None
        assert all((e.second_text is not None) is pair for e in examples if isinstance(e, Text))
    assert len(label_set(task, read_split(task, Split.TRAIN, tmp_path))) > 1


def test_a_folder_without_a_test_part_gives_one_of_train(tmp_path: Path) -> None:
    reader = {"format": "arrow", "files": {"train": ["corpus/train"]}, "hold_out": {"dev": 0.2, "test": 0.3}}
    task = made(TaskKind.CLASSIFICATION, reader, ["x", "y"])
    write_task(task, tmp_path)
    sizes = [len(read_split(task, split, tmp_path)) for split in Split]
    assert sum(sizes) == 52
    assert min(sizes) >= 3
