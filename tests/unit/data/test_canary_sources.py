"""Every format with a marker in each of its fields and names: no reader, count or fault passes one on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from canary_corpora import FORMATS, Planted, write

from orchestrator.contracts.readers import Reader
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import DataError
from workers.data import inspect_task, read_corpus

SOUND = [name for name in FORMATS if name != "headless"]  # whose first row is taken for the header


def spec(task: Planted, **changes: str) -> TaskSpec:
    return TaskSpec.model_validate({"name": "mine", **task.entry, **changes})


def said(task: Planted, words: str) -> list[str]:
    return [source for source, marker in task.markers.items() if marker.lower() in words.lower()]


def test_each_format_that_a_task_may_name_has_a_planted_corpus() -> None:
    readers, _ = get_args(Reader)
    formats = {name for one in get_args(readers) for name in get_args(one.model_fields["format"].annotation)}
    of_a_hub = {"hub"}  # its files are read as those of `parquet` are
    assert {entry["reader"]["format"] for _, entry in FORMATS.values()} == formats - of_a_hub


@pytest.mark.parametrize("name", SOUND)
def test_what_is_counted_says_nothing_of_the_text(tmp_path: Path, name: str) -> None:
    task = write(name, tmp_path, tmp_path)
    assert said(task, json.dumps(inspect_task(spec(task), tmp_path))) == []
    holding = {source for example in _texts(task, tmp_path) for source in said(task, example)}
    assert holding & {"text", "token", "title"}  # it was there to be said


def _texts(task: Planted, root: Path) -> list[str]:
    found = read_corpus(spec(task), root).splits.values()
    return [
        str(getattr(example, "text", getattr(example, "tokens", ""))) for split in found for example in split
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_a_malformed_record_is_named_by_number_and_left_out_in_counts(tmp_path: Path, name: str) -> None:
    task = write(name, tmp_path, tmp_path, bad=True)
    with pytest.raises(DataError) as caught:
        read_corpus(spec(task), tmp_path)
    error = caught.value
    assert said(task, f"{error} {error!r} {error.args} {error.__context__!r} {error.__cause__!r}") == []
    if name != "headless":
        skipped = inspect_task(spec(task, on_bad_record="skip"), tmp_path)
        assert sum(n for split in skipped["splits"].values() for n in split["skipped"].values()) >= 1
        assert said(task, json.dumps(skipped)) == []
