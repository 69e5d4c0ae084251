"""Staging from a hub through the command line: commits are locked, files checked, refusals explained."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hub_desk import NEW, OLD, HubDesk
from hub_server import REPOSITORY, Hub, serving
from safetensors.torch import load, load_file
from workshop import Workshop

from orchestrator.contracts.backbone import RandomWeights
from orchestrator.contracts.child_processes import python_module
from workers.demo.tiny import write_tiny

SWEEP = {"name": "mini", "catalogues": ["catalogue"], "models": ["mini"], "domains": ["general"]}


class Desk(HubDesk):
    """A sweep over one backbone of the hub."""

    @property
    def locked(self) -> dict[str, str]:
        return self.locked_as("backbones", "mini")

    def entry(self, revision: str = "main", gated: bool = False) -> None:
        place = self.shop.root / "catalogue" / "backbones" / "mini.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        weights = {"kind": "hub", "hub": REPOSITORY, "revision": revision}
        axes = {"model": "mini", "domain": "general", "architecture": "bert"}
        place.write_text(json.dumps({**axes, "weights": weights, "gated": gated}))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    folders = {OLD: tmp_path / "old", NEW: tmp_path / "new"}
    for seed, folder in enumerate(folders.values()):
        folder.mkdir()
        write_tiny(RandomWeights(architecture="bert", seed=seed), folder)
        (folder / "pytorch_model.bin").write_bytes(b"pickled")
    shop = Workshop(tmp_path / "shop")
    shop.root.mkdir()
    sweep = SWEEP | {"methods": ["full"], "tasks": ["demo-outcome"]}
    (shop.root / "mini.yaml").write_text(json.dumps(sweep))
    with serving(Hub(folders, {"main": OLD, "v2": NEW})) as hub:
        desk = Desk(shop, hub)
        desk.entry()
        yield desk


def test_a_branch_is_resolved_once_and_moves_under_nobody(desk: Desk) -> None:
    assert "locked mini" in desk.frontier("stage", "mini.yaml")
    assert {key: desk.locked[key] for key in ("hub", "asked", "commit")} == {
        "hub": REPOSITORY,
        "asked": "main",
        "commit": OLD,
    }
    assert "model.safetensors" in desk.locked["files"]
    assert not any(path.endswith(".bin") for path in desk.hub.fetched)
    assert json.loads(desk.frontier("plan", "mini.yaml", "--json"))["unlocked"] == []

    desk.hub.branches["main"] = NEW
    before, fetched = desk.lock.read_bytes(), len(desk.hub.fetched)
    desk.frontier("stage", "mini.yaml")
    assert (desk.lock.read_bytes(), len(desk.hub.fetched)) == (before, fetched)

    desk.entry(revision="v2")
    told = desk.frontier("stage", "mini.yaml")
    assert "locked as some-org/some-bert at main, the catalogue now names some-org/some-bert at v2" in told
    assert (desk.locked["asked"], desk.locked["commit"]) == ("v2", NEW)


def test_a_file_that_changed_in_the_cache_is_refused_and_what_is_staged_needs_no_network(
    desk: Desk,
) -> None:
    desk.frontier("stage", "mini.yaml")
    desk.lock.unlink()
    desk.frontier("stage", "mini.yaml", HF_HUB_OFFLINE="1", HF_ENDPOINT="http://127.0.0.1:9")
    assert desk.locked["commit"] == OLD
    [snapshot] = desk.shop.sweeps.glob(f"cache/hub/*/snapshots/{OLD}")
    weights = (snapshot / "config.json").resolve()
    weights.write_bytes(weights.read_bytes() + b"\n")
    told = desk.frontier("stage", "mini.yaml", expect=2)
    assert "backbone mini" in told
    assert "config.json has sha256" in told
    weights.write_bytes(weights.read_bytes()[:-1])
    (snapshot / "adapter_config.json").write_text("{}")
    told = desk.frontier("stage", "mini.yaml", expect=2)
    assert "adapter_config.json is an extra file, expected the same files as in the lock file" in told


def test_a_gated_repository_says_what_it_wants(desk: Desk) -> None:
    desk.hub.token = "granted"
    desk.entry(gated=True)
    assert "no token of the hub is set" in desk.frontier("run", "mini.yaml", expect=2)
    told = desk.frontier("stage", "mini.yaml", expect=2, HF_TOKEN="other")
    assert "your token has no access: ask for it on the page of some-org/some-bert" in told
    desk.entry()
    assert "then set HF_TOKEN" in desk.frontier("stage", "mini.yaml", expect=2)
    plan = json.loads(desk.frontier("plan", "mini.yaml", "--json"))
    assert (plan["unlocked"], desk.lock.exists()) == (["mini"], False)


def only_pickled(folder: Path, content: object = None) -> bytes:
    """The folder with pickled weights in place of its safetensors, whose bytes it gives."""
    weights = folder / "model.safetensors"
    before = weights.read_bytes()
    torch.save(load_file(weights) if content is None else content, folder / "pytorch_model.bin")
    weights.unlink()
    return before


def test_pickled_weights_are_converted_once_where_that_is_asked_for(desk: Desk) -> None:
    tensors = load(only_pickled(desk.hub.folders[OLD]))
    told = desk.frontier("stage", "mini.yaml", expect=2)
    assert "no *.safetensors" in told
    assert "--convert" in told
    assert not desk.lock.exists()
    assert not any(path.endswith(".bin") for path in desk.hub.fetched)

    assert "staged mini: converted" in desk.frontier("stage", "mini.yaml", "--convert")
    assert {"model.safetensors", "pytorch_model.bin"} <= set(desk.locked["files"])
    [snapshot] = desk.shop.sweeps.glob(f"cache/hub/*/snapshots/{OLD}")
    found = load_file(snapshot / "model.safetensors")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)

    before, fetched = desk.lock.read_bytes(), len(desk.hub.fetched)
    assert "staged mini: present" in desk.frontier("stage", "mini.yaml")
    assert (desk.lock.read_bytes(), len(desk.hub.fetched)) == (before, fetched)
    shutil.rmtree(desk.shop.sweeps / "cache")  # another machine, with the lock
    desk.frontier("stage", "mini.yaml", "--convert")
    assert desk.lock.read_bytes() == before

    shutil.rmtree(desk.shop.sweeps / "cache")
    pickle = desk.hub.folders[OLD] / "pytorch_model.bin"
    torch.save({name: tensor + 1 for name, tensor in tensors.items()}, pickle)
    assert "pytorch_model.bin has sha256" in desk.frontier("stage", "mini.yaml", "--convert", expect=2)
    assert list(desk.shop.sweeps.glob(f"cache/hub/*/snapshots/{OLD}/*.safetensors")) == []


class Command:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def test_a_pickle_that_would_run_something_is_refused_and_runs_nothing(desk: Desk) -> None:
    mark = desk.shop.root / "ran"
    only_pickled(desk.hub.folders[OLD], {"weight": Command(mark)})
    told = desk.frontier("stage", "mini.yaml", "--convert", expect=2)
    assert "holds something else than tensors" in told
    assert not mark.exists()
    assert not desk.lock.exists()
    assert list(desk.shop.sweeps.glob(f"cache/hub/*/snapshots/{OLD}/*.safetensors")) == []


def test_a_small_pickle_that_would_become_a_large_tensor_ends_in_its_own_process(tmp_path: Path) -> None:
    pickle, converted = tmp_path / "pytorch_model.bin", tmp_path / "model.safetensors"
    torch.save({"weight": torch.zeros(1).expand(2**32)}, pickle)  # 16 GiB, of one number
    assert pickle.stat().st_size < 2**12
    done = subprocess.run(
        python_module("workers.models.conversion", str(pickle), str(converted)), capture_output=True
    )
    assert done.returncode != 0
    assert not converted.exists()


def test_a_plan_names_what_has_to_be_converted_until_it_is(desk: Desk) -> None:
    only_pickled(desk.hub.folders[OLD])
    place = desk.shop.root / "catalogue" / "backbones" / "mini.yaml"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"pickled": True}))
    assert "pickled weights only, which are not read: mini;" in desk.frontier("plan", "mini.yaml")
    desk.frontier("stage", "mini.yaml", "--convert")
    assert "pickled" not in desk.frontier("plan", "mini.yaml")
    assert json.loads(desk.frontier("plan", "mini.yaml", "--json"))["pickled"] == []
