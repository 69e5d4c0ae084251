"""Corpora as directories and prepared folders: which layout is read, and what its digest follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import Inputs, digest_inputs
from orchestrator.config.layouts import resolve_layout
from orchestrator.contracts.readers import ArrowReader, HoldOut, MimicNotesReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind

TABLES = ("raw/NOTEEVENTS.csv", "raw/ADMISSIONS.csv", "raw/DIAGNOSES_ICD.csv")
RAW = MimicNotesReader(files={Split.TRAIN: TABLES}, outcome="diagnosis-group", groups="raw/groups.csv")
PREPARED = ArrowReader(
    files={Split.TRAIN: ("ready/train",), Split.TEST: ("ready/test",)}, hold_out=HoldOut(dev=0.1)
)


def task(**fields: Any) -> TaskSpec:
    fields = {"reader": RAW, "layouts": (PREPARED,)} | fields
    kind = TaskKind.CLASSIFICATION
    return TaskSpec(name="triage", title="T", kind=kind, domain="clinical", metric="macro_f1", **fields)


def write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_the_first_layout_that_is_whole_is_read(tmp_path: Path) -> None:
    write(tmp_path, *TABLES, "ready/train/a.arrow")
    assert resolve_layout(task(), tmp_path) == task()
    write(tmp_path, "ready/test/a.arrow")
    assert resolve_layout(task(), tmp_path) == task(reader=PREPARED, layouts=())
    write(tmp_path, "raw/groups.csv")
    assert resolve_layout(task(), tmp_path) == task(layouts=())
    assert resolve_layout(task(), None) == task()
    assert resolve_layout(task(layouts=()), tmp_path / "nowhere") == task(layouts=())


def test_a_table_may_be_packed_whatever_the_others_are(tmp_path: Path) -> None:
    names = ("iii/NOTEEVENTS.csv.gz", "iii/ADMISSIONS.csv")
    reader = MimicNotesReader(files={Split.TRAIN: names}, outcome="mortality")
    spec = task(reader=reader, layouts=())
    write(tmp_path, "iii/NOTEEVENTS.csv", "iii/ADMISSIONS.csv.gz")
    found = resolve_layout(spec, tmp_path).reader.files[Split.TRAIN]
    assert found == ("iii/NOTEEVENTS.csv", "iii/ADMISSIONS.csv.gz")
    write(tmp_path, "iii/NOTEEVENTS.csv.gz")
    assert resolve_layout(spec, tmp_path).reader.files[Split.TRAIN] == (names[0], "iii/ADMISSIONS.csv.gz")


def entry(root: Path, reader: dict[str, Any], **fields: Any) -> None:
    (root / "mine" / "tasks").mkdir(parents=True, exist_ok=True)
    spec = {
        "title": "T",
        "kind": "classification",
        "domain": "clinical",
        "metric": "macro_f1",
        "reader": reader,
    }
    (root / "mine" / "tasks" / "mine.yaml").write_text(yaml.safe_dump(spec | fields))


@pytest.fixture
def digests(load: Any, tmp_path: Path) -> Any:
    def digests() -> Inputs:
        (tmp_path / "data").mkdir(exist_ok=True)
        axes = {"models": ["tiny"], "domains": ["general"], "methods": ["full"], "tasks": ["mine"]}
        return digest_inputs(load("data_dir=data", catalogues=["mine"], **axes), tmp_path / "cache")

    return digests


def test_a_directory_is_known_by_the_files_below_it(digests: Any, tmp_path: Path) -> None:
    entry(tmp_path, {"format": "arrow", "files": {"train": ["ready"]}, "hold_out": {"dev": 0.1, "test": 0.2}})
    data = tmp_path / "data"
    assert digests().data == {"mine": None}
    write(data, "ready/a.arrow", "ready/state.json")
    first = digests()
    assert first.missing == ()
    write(data, "ready/cache-123.arrow", "ready/.hidden")
    assert digests().data == first.data
    (data / "ready" / "a.arrow").rename(data / "ready" / "b.arrow")
    renamed = digests()
    (data / "ready" / "b.arrow").write_text("other")
    assert len({str(found.data) for found in (first, renamed, digests())}) == 3


def test_the_file_of_groups_is_an_input(digests: Any, tmp_path: Path) -> None:
    names = ["NOTEEVENTS.csv", "ADMISSIONS.csv", "DIAGNOSES_ICD.csv"]
    reader = {"format": "mimic-notes", "outcome": "diagnosis-group", "groups": "groups.csv"}
    entry(tmp_path, reader | {"files": {"train": names}})
    write(tmp_path / "data", *names)
    [problem] = digests().missing
    assert (problem.where, problem.key) == ("task mine", "reader.groups")
    write(tmp_path / "data", "groups.csv")
    first = digests()
    assert first.missing == ()
    (tmp_path / "data" / "groups.csv").write_text("other")
    assert digests().data != first.data


def test_a_corpus_that_is_nowhere_is_missed_with_all_its_layouts(digests: Any, tmp_path: Path) -> None:
    other = {"format": "arrow", "hold_out": {"dev": 0.1, "test": 0.1}, "files": {"train": ["ready"]}}
    entry(tmp_path, other | {"files": {"train": ["raw"]}}, layouts=[other])
    [problem] = digests().missing
    assert problem.key == "reader.files.train"
    assert "arrow (raw); arrow (ready)" in problem.problem
