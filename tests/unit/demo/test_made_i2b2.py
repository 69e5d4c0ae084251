"""Invented notes in the layouts of i2b2: as many as asked for, with the labels of the task."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config.catalogue import load_catalogue
from orchestrator.contracts.task import MadeNotes, TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data import inspect_task, read_split
from workers.demo.corpora import write_task

TASKS = {name: entry.spec for name, entry in load_catalogue().tasks.items() if name.startswith("i2b2-")}
SIZES = {"train": 24, "dev": 14, "test": 14}  # as in a smoke run


def made(task: TaskSpec) -> TaskSpec:
    return task.model_copy(update={"made": MadeNotes(**SIZES)})


@pytest.mark.parametrize("name", TASKS)
def test_every_split_has_its_size_and_train_every_label(name: str, tmp_path: Path) -> None:
    task = made(TASKS[name])
    write_task(task, tmp_path)
    found = inspect_task(task, tmp_path)["splits"]
    counted = "mentions" if task.kind is TaskKind.NER else "labels"
    assert found["train"][counted].keys() == set(task.labels or ())
    for split, size in SIZES.items():
        assert found[split][counted].keys() <= set(task.labels or ())
        assert found[split]["skipped"] == found[split]["set_aside"] == {}
        assert (
            found[split]["documents"] == size
            if task.kind is TaskKind.NER
            else found[split]["documents"] <= size
        )


@pytest.mark.parametrize("name", TASKS)
def test_the_archives_hold_what_the_directories_hold(name: str, tmp_path: Path) -> None:
    task = made(TASKS[name])
    zipped = task.model_copy(update={"reader": task.layouts[0]})
    assert all(name.endswith(".tar.gz") for names in zipped.reader.files.values() for name in names)
    write_task(task, tmp_path)
    write_task(zipped, tmp_path)
    for split in Split:
        directory, archive = (
            sorted(str(vars(example) | {"document": None}) for example in read_split(spec, split, tmp_path))
            for spec in (task, zipped)
        )
        assert directory == archive


def test_the_same_task_is_written_the_same(tmp_path: Path) -> None:
    for name, task in TASKS.items():
        for root in ("one", "two"):
            write_task(made(task.model_copy(update={"reader": task.layouts[0]})), tmp_path / root / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.gz"))
    assert len(files) == 6 + 2 + 3
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
