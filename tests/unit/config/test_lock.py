"""The lock file beside a sweep file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.lock import (
    Lock,
    LockedRepository,
    lock_path,
    locked,
    read_lock,
    unlocked,
    with_staged,
    write_lock,
)
from orchestrator.contracts.backbone import BackboneSpec, FolderWeights, HubWeights
from orchestrator.contracts.readers import HubReader
from orchestrator.contracts.task import MadeNotes, TaskSpec

COMMIT = "12345e" + "0" * 34  # a number, to a careless reader of YAML
TASK = {"name": "mine", "title": "T", "kind": "ner", "domain": "clinical", "metric": "entity_f1"}
TINY = {"models": ["tiny"], "domains": ["general"], "methods": ["full"], "tasks": ["demo-ner"]}


def backbone(name: str = "mine", **weights: str) -> BackboneSpec:
    place = HubWeights(**({"hub": "some/where"} | weights))
    return BackboneSpec(name=name, model="m", domain="d", architecture="bert", weights=place)


def entry(**fields: Any) -> LockedRepository:
    known = {"hub": "some/where", "asked": "main", "commit": COMMIT, "files": {"config.json": "0e1"}}
    return LockedRepository(**(known | fields))


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), max_codepoint=0xFFFF), min_size=1, max_size=9)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True)
ENTRIES = st.builds(
    LockedRepository,
    hub=TEXT,
    asked=TEXT,
    commit=st.text("0123456789abcdef", min_size=40, max_size=40),
    files=st.dictionaries(TEXT, TEXT, max_size=3),
    reads=st.lists(TEXT, max_size=3).map(tuple),
)


@given(st.dictionaries(NAMES, ENTRIES, max_size=3))
def test_what_is_written_is_read_again_in_any_order(
    entries: dict[str, LockedRepository],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "a.lock"
        write_lock(path, Lock(backbones=entries))
        first = path.read_bytes()
        assert read_lock(path) == (Lock(backbones=entries), [])
        write_lock(path, Lock(backbones=dict(reversed(entries.items()))))
        assert path.read_bytes() == first


def test_a_locked_backbone_stands_at_its_commit() -> None:
    lock = Lock(backbones={"mine": entry()})
    assert locked(backbone(), lock).weights == HubWeights(hub="some/where", revision=COMMIT)
    assert unlocked([locked(backbone(), lock)], lock) == ()
    for other in (backbone(revision="v2"), backbone(hub="some/other"), backbone("other")):
        assert locked(other, lock) == other
        assert unlocked([other], lock) == (other,)
    folder = backbone().model_copy(update={"weights": FolderWeights(folder="/w")})
    assert locked(folder, lock) == folder
    assert unlocked([folder], lock) == ()


def test_an_entry_that_no_longer_fits_is_made_anew_and_others_stay() -> None:
    lock = Lock(backbones={"mine": entry(asked="old"), "other": entry()})
    new = with_staged(lock, [backbone()], {"mine": ("f" * 40, {"a": "b"})})
    assert new.backbones["mine"] == entry(commit="f" * 40, files={"a": "b"})
    assert new.backbones["other"] == entry()
    assert with_staged(new, [locked(backbone(), new)], {}) == new


def test_a_sweep_is_loaded_at_the_commits_of_its_lock(load: Any, tmp_path: Path) -> None:
    first = load(**TINY)
    [spec] = {cell.backbone.name: cell.backbone for cell in first.grid.cells}.values()
    assert unlocked([spec], first.lock) == (spec,)
    staged = with_staged(first.lock, [spec], {spec.name: (COMMIT, {})})
    write_lock(lock_path(first.file), staged)
    again = load(**TINY)
    assert {cell.backbone.weights.revision for cell in again.grid.cells} == {COMMIT}
    assert unlocked([cell.backbone for cell in again.grid.cells], again.lock) == ()


@pytest.mark.parametrize(
    ("content", "key", "problem"),
    [
        ("backbones: {tinybert: {hub: a/b, asked: main, commit: abc, files: {}}}", "commit", "abc"),
        ("backbone: {}", "backbone", "unknown key"),
        ("- x", "", "expected"),
    ],
)
def test_a_broken_lock_is_a_problem(
    problems: Any, tmp_path: Path, content: str, key: str, problem: str
) -> None:
    (tmp_path / "ours.lock").write_text(content)
    [reported] = problems(**TINY)
    assert reported.where.endswith("ours.lock")
    assert reported.key.endswith(key)
    assert problem in reported.problem


def test_a_task_is_locked_as_a_backbone_is_and_under_a_name_of_its_own() -> None:
    reader = {"format": "hub", "dataset": "some/where"}
    task = TaskSpec.model_validate(TASK | {"reader": reader})
    lock = with_staged(Lock(backbones={"mine": entry()}), [task], {"mine": (COMMIT, {"config.json": "0e1"})})
    splits = ("test", "train", "validation")
    assert lock == Lock(backbones={"mine": entry()}, tasks={"mine": entry(reads=splits)})
    at_commit = locked(task, lock)
    assert at_commit.reader == HubReader.model_validate(reader | {"revision": COMMIT})
    assert unlocked([at_commit], lock) == ()
    assert unlocked([task.model_copy(update={"made": MadeNotes()})], Lock()) == ()
    elsewhere = TaskSpec.model_validate(TASK | {"reader": reader | {"revision": "v2"}})
    assert locked(elsewhere, lock) == elsewhere
    with tempfile.TemporaryDirectory() as place:
        write_lock(Path(place) / "a.lock", lock)
        assert read_lock(Path(place) / "a.lock") == (lock, [])


def test_what_a_task_reads_besides_is_added_to_its_entry_at_the_locked_commit() -> None:
    def task(**reader: Any) -> TaskSpec:
        reader = {"format": "hub", "dataset": "some/where", "revision": COMMIT} | reader
        return TaskSpec.model_validate(TASK | {"reader": reader})

    first = entry(files={"a": "0e1"}, reads=("test", "train", "validation"))
    lock = Lock(tasks={"mine": first})
    splits = {"train": ["train"], "dev": ["validation"], "test": ["hard"]}
    for other, reads in ((task(files=splits), "hard"), (task(config="notes"), "notes: test")):
        assert unlocked([other], lock) == (other,)
        new = with_staged(lock, [other], {"mine": (COMMIT, {"b": "0e2"})})
        assert unlocked([other, task()], new) == ()
        assert (new.tasks["mine"].asked, new.tasks["mine"].files) == ("main", {"a": "0e1", "b": "0e2"})
        assert {reads, *first.reads} <= set(new.tasks["mine"].reads)
    assert unlocked([task(files=splits | {"test": ["test"]})], lock) == ()
