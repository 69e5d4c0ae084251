"""Every task of the built-in catalogue can be read: invented ones made here, others where they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config.catalogue import load_catalogue
from orchestrator.contracts.task import MadeNotes
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data import inspect_task, label_set, read_split, splits_of
from workers.demo.corpora import write_task

TASKS = {name: entry.spec for name, entry in load_catalogue().tasks.items()}


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.invented])
def test_invented_tasks_are_made_and_read(name: str, tmp_path: Path) -> None:
    task = TASKS[name]
    write_task(task, tmp_path)
    found = inspect_task(task, tmp_path)
    assert found["splits"].keys() == {"train", "dev", "test"}
    assert found["splits"]["train"]["examples"] == pytest.approx(task.train_examples, rel=0.2)
    assert all(len(split["labels"]) == len(found["labels"]) for split in found["splits"].values())


@pytest.mark.parametrize(
    "name", [n for n, task in TASKS.items() if not task.invented and task.corpus is None]
)
def test_public_tasks_are_read(name: str, corpora: Path) -> None:
    task = TASKS[name]
    found = inspect_task(task, corpora)
    assert found["splits"]["train"]["examples"] == task.train_examples
    assert found["splits"]["train"]["labels"].keys() == set(found["labels"])


@pytest.mark.parametrize("name", TASKS)
def test_every_task_of_the_catalogue_has_invented_data_that_it_reads(name: str, tmp_path: Path) -> None:
    """As a smoke run does; every declared label that train can teach is there."""
    task = TASKS[name].model_copy(update={"made": MadeNotes(train=24, dev=14, test=14), "layouts": ()})
    write_task(task, tmp_path)
    for split in splits_of(task):
        examples = read_split(task, split, tmp_path)
        assert examples
        if split is Split.TRAIN and task.kind is not TaskKind.REGRESSION:
            assert len(label_set(task, examples)) > 1
