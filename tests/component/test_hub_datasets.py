"""Data sets of a hub through the command line: staged, locked and checked as weights are, read offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import yaml
from hub_desk import NEW, OLD, HubDesk
from hub_server import DATASET, Hub, serving
from workshop import Workshop

from orchestrator.contracts.backbone import RandomWeights
from workers.demo.tiny import write_tiny

CARD = """\
---
dataset_info:
  features:
  - {name: label, dtype: {class_label: {names: {'0': neg, '1': pos}}}}
---
"""
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
SWEEP = {
    "name": "mini",
    "catalogues": ["catalogue"],
    "models": ["mini"],
    "domains": ["general"],
    "methods": ["full"],
    "tasks": ["letters"],
    "recipe": {"epochs": 1, "batch_size": 8},
    "seeds": [1],
}
TASK = {
    "title": "Letters",
    "kind": "classification",
    "domain": "clinical",
    "metric": "accuracy",
    "max_length": 16,
    "mean_tokens": 6,
}


class Desk(HubDesk):
    """A sweep over one task that reads a data set of the hub."""

    @property
    def locked(self) -> dict[str, Any]:
        return self.locked_as("tasks", "letters")

    def entry(self, **reader: Any) -> None:
        path = self.shop.root / "catalogue" / "tasks" / "letters.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(TASK | {"reader": {"format": "hub", "dataset": DATASET, **reader}}))


def write(folder: Path, *, card: str = CARD, first: str = "chest") -> Path:
    """A data set in two shards and four splits, with classes that only the card names."""
    for name, rows in {
        "train-00000-of-00002": range(16),
        "train-00001-of-00002": range(16, 24),
        "validation-00000-of-00001": range(24, 32),
        "test-00000-of-00001": range(32, 48),
        "hard-00000-of-00001": range(48, 64),
    }.items():
        path = folder / "data" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = [f"{first} pain {n}" if n % 2 else f"no complaint {n}" for n in rows]
        pyarrow.parquet.write_table(pyarrow.table({"text": texts, "label": [n % 2 for n in rows]}), path)
    (folder / "README.md").write_text(card)
    (folder / "letters.py").write_text("raise SystemExit('this was run')")
    return folder


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    folders = {OLD: write(tmp_path / "old"), NEW: write(tmp_path / "new", first="back")}
    shop = Workshop(tmp_path / "shop")
    weights = shop.root / "weights"
    weights.mkdir(parents=True)
    write_tiny(RandomWeights(architecture="bert"), weights)
    backbone = {"model": "mini", "domain": "general", "architecture": "bert"}
    (shop.root / "catalogue" / "backbones").mkdir(parents=True)
    (shop.root / "catalogue" / "backbones" / "mini.yaml").write_text(
        json.dumps(backbone | {"weights": {"kind": "folder", "folder": str(weights)}})
    )
    (shop.root / "mini.yaml").write_text(json.dumps(SWEEP))
    with serving(Hub(folders, {"main": OLD, "v2": NEW})) as hub:
        desk = Desk(shop, hub)
        desk.entry()
        yield desk


def test_what_is_staged_is_locked_and_trained_on_without_a_network(desk: Desk) -> None:
    plan = json.loads(desk.frontier("plan", "mini.yaml", "--json"))
    assert (plan["unlocked"], desk.hub.fetched) == (["letters"], [])
    said = desk.frontier("stage", "mini.yaml")
    assert "staged letters: fetched" in said
    assert "locked letters" in said
    assert {key: desk.locked[key] for key in ("hub", "asked", "commit")} == {
        "hub": DATASET,
        "asked": "main",
        "commit": OLD,
    }
    assert sorted(desk.locked["files"]) == [
        "README.md",
        "data/test-00000-of-00001.parquet",
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
        "data/validation-00000-of-00001.parquet",
    ]
    assert not any(path.endswith(".py") for path in desk.hub.fetched)

    desk.hub.branches["main"] = NEW  # nothing moves under the sweep
    desk.frontier("run", "mini.yaml", "--launcher", "local", **OFFLINE)
    [outcome] = desk.shop.outcomes().values()
    assert outcome["labels"] == ["neg", "pos"]
    assert outcome["rows"]["train"] == 24
    plan = json.loads(desk.frontier("plan", "mini.yaml", "--json", **OFFLINE))
    assert (plan["unlocked"], plan["to_run"], len(plan["up_to_date"])) == ([], [], 1)


def test_a_file_that_changed_in_the_cache_is_refused_and_a_lost_cache_is_fetched_again(
    desk: Desk,
) -> None:
    desk.frontier("stage", "mini.yaml")
    before = desk.lock.read_bytes()
    [snapshot] = desk.shop.sweeps.glob(f"cache/hub/datasets--*/snapshots/{OLD}")
    (snapshot / "README.md").resolve().write_text("---\n---\n")
    said = desk.frontier("stage", "mini.yaml", expect=2, **OFFLINE)
    assert "README.md has sha256" in said
    assert "remove its entry in the lock file" in said
    shutil.rmtree(desk.shop.sweeps / "cache")
    assert "letters: " + DATASET + f" at revision {OLD} cannot be fetched" in desk.frontier(
        "stage", "mini.yaml", expect=2, **OFFLINE
    )
    assert "staged letters: fetched" in desk.frontier("stage", "mini.yaml")
    assert desk.lock.read_bytes() == before


def test_another_split_of_a_locked_data_set_is_new_data_at_the_same_commit(desk: Desk) -> None:
    desk.frontier("stage", "mini.yaml")
    first = desk.locked
    desk.hub.branches["main"] = NEW
    desk.entry(files={"train": ["train"], "dev": ["validation"], "test": ["hard"]})
    plan = json.loads(desk.frontier("plan", "mini.yaml", "--json", **OFFLINE))
    assert plan["unlocked"] == ["letters"]
    assert [row["item"] for row in plan["to_stage"]] == ["letters"]
    [snapshot] = desk.shop.sweeps.glob(f"cache/hub/datasets--*/snapshots/{OLD}")
    card = (snapshot / "README.md").resolve()
    card.write_text(CARD + "changed")
    assert "README.md has sha256" in desk.frontier("stage", "mini.yaml", expect=2)
    card.write_text(CARD)

    said = desk.frontier("stage", "mini.yaml")
    assert "letters: reads files that the lock does not name; they are added at the locked commit" in said
    assert (desk.locked["asked"], desk.locked["commit"]) == ("main", OLD)
    assert desk.locked["files"].keys() - first["files"].keys() == {"data/hard-00000-of-00001.parquet"}
    before, fetched = desk.lock.read_bytes(), len(desk.hub.fetched)
    for task in ({"files": {"train": ["train"], "dev": ["validation"], "test": ["hard"]}}, {}):
        desk.entry(**task)
        assert json.loads(desk.frontier("plan", "mini.yaml", "--json"))["unlocked"] == []
    assert "staged letters: present" in desk.frontier("stage", "mini.yaml", **OFFLINE)
    assert (desk.lock.read_bytes(), len(desk.hub.fetched)) == (before, fetched)


def test_sweeps_on_other_splits_share_a_data_set_in_a_remote_storage(desk: Desk) -> None:
    remote = f"storage={(desk.shop.root / 'store').as_uri()}"
    desk.frontier("stage", "mini.yaml", remote)
    shutil.copy(desk.shop.root / "mini.yaml", desk.shop.root / "other.yaml")
    desk.entry(files={"train": ["train"], "dev": ["validation"], "test": ["hard"]})
    desk.frontier("stage", "other.yaml", remote)
    [marker] = desk.shop.root.glob(f"store/**/{OLD}/complete.json")
    files = json.loads(marker.read_text())["files"]
    assert files.keys() > desk.locked["files"].keys()
    assert "data/hard-00000-of-00001.parquet" in files


def test_a_repository_that_cannot_be_read_says_why(desk: Desk) -> None:
    desk.entry(revision="v3")
    assert "check reader.revision" in desk.frontier("stage", "mini.yaml", expect=2)
    desk.entry(files={"train": ["train"], "dev": ["dev"], "test": ["test"]})
    said = desk.frontier("stage", "mini.yaml", expect=2)
    assert "there is no split 'dev' in it; its Parquet files are: data/hard-*.parquet" in said
    desk.entry()
    for file in (desk.hub.folders[OLD] / "data").iterdir():
        file.unlink()
    shutil.rmtree(desk.shop.sweeps / "cache")
    said = desk.frontier("stage", "mini.yaml", expect=2)
    assert "its loading script letters.py is never run" in said
    assert "set revision: refs/convert/parquet" in said
    desk.hub.token = "granted"
    desk.entry(revision="v2")
    said = desk.frontier("stage", "mini.yaml", expect=2)
    assert f"it is gated: ask for access on the page of {DATASET}" in said
    assert not desk.lock.exists()


def test_a_task_can_be_looked_at_before_any_sweep_names_it(desk: Desk) -> None:
    words = ("task", "inspect", "letters", "--catalogue", "catalogue")
    assert "letters is not staged" not in desk.frontier(*words)
    answer = json.loads(desk.frontier(*words, "--json", **OFFLINE))
    assert answer["splits"]["train"]["labels"] == {"neg": 12, "pos": 12}
    listed = json.loads(desk.frontier("list", "tasks", "--catalogue", "catalogue", "--json"))
    [row] = [row for row in listed if row["task"] == "letters"]
    assert (row["hub"], row["offline"]) == (DATASET, True)


def test_init_writes_a_sweep_over_a_data_set_at_its_commit(desk: Desk) -> None:
    words = ("--text", "text", "--label", "label", "--id", "none", "--domain", "clinical", "--within", "0.1")
    own = ("--model", "mini", "--catalogue", "catalogue", "--name", "notes")
    said = desk.frontier("init", DATASET, *words, *own)
    assert f"{DATASET}: hub, 24 rows, 2 columns" in said
    assert not any(text in said for text in ("chest", "complaint"))
    task = yaml.safe_load((desk.shop.root / "notes" / "tasks" / "notes.yaml").read_text())
    assert task["reader"] == {
        "format": "hub",
        "dataset": DATASET,
        "revision": OLD,
        "files": {"train": ["train"], "dev": ["validation"], "test": ["test"]},
        "text": "text",
        "label": "label",
    }
    sweep = desk.shop.root / "notes" / "sweep.yaml"
    assert "data_dir" not in yaml.safe_load(sweep.read_text())
    assert not any(path.endswith(".py") for path in desk.hub.fetched)
    desk.hub.branches["main"] = NEW
    small = ("seeds=1", "methods=full", "recipe.epochs=1")
    desk.frontier("run", str(sweep), *small, "--launcher", "local", **OFFLINE)
    [outcome] = desk.shop.outcomes("notes").values()
    assert (outcome["labels"], outcome["rows"]["train"]) == (["neg", "pos"], 24)
    lock = yaml.safe_load(sweep.with_suffix(".lock").read_text())["tasks"]["notes"]
    assert (lock["asked"], lock["commit"]) == (OLD, OLD)
    planned = desk.json("plan", str(sweep), "--json", **OFFLINE)
    assert [counts["examples"] for counts in planned["tokens"]["notes"].values()] == [24]


def test_init_of_a_name_that_is_no_data_set_says_what_it_looked_for(desk: Desk) -> None:
    said = desk.frontier("init", "nobody/nothing", expect=2)
    assert "the hub: nobody/nothing at revision main cannot be fetched" in said
    assert "there is no such file" in desk.frontier("init", "catalogue/nothing", expect=2)
    assert "--dev: belongs to files" in desk.frontier("init", DATASET, "--dev", "mini.yaml", expect=2)
    assert desk.hub.fetched == []
