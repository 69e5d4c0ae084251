"""Two who submit one sweep at the same time, each between two requests of the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_api import FakeApi

from orchestrator.cluster.kubeconfig import connect
from orchestrator.cluster.render import Rendered
from orchestrator.cluster.sweeps import Sweeps
from orchestrator.errors import ConfigError

from .conftest import OVERLAY, Frontier

Submitter = Callable[..., Callable[[], str]]


@pytest.fixture
def submitter(frontier: Frontier, sweep: Callable[..., str], tmp_path: Path) -> Submitter:
    """Of a file of the one name, with seeds of its own."""

    def _submitter(*seeds: int) -> Callable[[], str]:
        out = tmp_path / f"out-{len(list(tmp_path.glob('out-*')))}"
        done = frontier("render", sweep(seeds=list(seeds)), "--overlay", OVERLAY, "--out", str(out))
        assert done.code == 0, done.text
        [file] = out.iterdir()

        def _submit() -> str:
            config_map, ray_job = yaml.safe_load_all(file.read_text())
            said: list[str] = []
            cluster = connect("frontier", warn=said.append)
            Sweeps(cluster, said.append).submit(Rendered(file.stem, config_map, ray_job))
            return "\n".join(said)

        return _submit

    return _submitter


def mounted(api: FakeApi) -> dict[str, Any]:
    """The file of the sweep that the head of the one RayJob reads."""
    [job] = api.all("rayjobs")
    volumes = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["volumes"]
    [name] = [volume["configMap"]["name"] for volume in volumes if volume["name"] == "sweep"]
    found = [body for body in api.all("configmaps") if body["metadata"]["name"] == name]
    assert found, f"{name} is gone, and the head can never mount it"
    [owner] = found[0]["metadata"]["ownerReferences"]
    assert owner["uid"] == job["metadata"]["uid"]
    read: dict[str, Any] = yaml.safe_load(found[0]["data"]["sweep.yaml"])
    return read


@pytest.mark.parametrize("between", [("patch", "configmaps"), ("create", "rayjobs")])
def test_the_slower_one_changes_nothing(api: FakeApi, submitter: Submitter, between: tuple[str, str]) -> None:
    slow, fast = submitter(12), submitter(34)
    api.before[between] = fast
    with pytest.raises(ConfigError, match=r"seeds\[0\]: 34 -> 12, while the sweep runs"):
        slow()
    assert mounted(api)["seeds"] == [34]
    assert len([b for b in api.all("configmaps") if "frontier/sweep" in b["metadata"]["labels"]]) == 1


@pytest.mark.parametrize("between", [("patch", "configmaps"), ("create", "rayjobs")])
def test_with_the_same_file_the_slower_one_attaches(
    api: FakeApi, submitter: Submitter, between: tuple[str, str]
) -> None:
    slow, fast = submitter(12), submitter(12)
    api.before[between] = fast
    assert "attached" in slow()
    assert mounted(api)["seeds"] == [12]


@pytest.mark.parametrize("late", [("list", "configmaps"), ("delete", "configmaps")])
def test_who_tidies_up_late_takes_no_file_from_the_next(
    api: FakeApi, submitter: Submitter, frontier: Frontier, late: tuple[str, str]
) -> None:
    """The first was stopped before it had tidied up, and another file was submitted."""
    former, first, other = submitter(1), submitter(12), submitter(34)
    former()
    [job] = api.all("rayjobs")
    assert frontier("stop", job["metadata"]["name"]).code == 0

    def meanwhile() -> None:
        [job] = api.all("rayjobs")
        api.objects.pop(("ray.io", "rayjobs", "frontier", job["metadata"]["name"]))
        for body in api.all("configmaps"):
            body["metadata"].pop("ownerReferences", None)
        other()

    api.before[late] = meanwhile
    first()
    assert mounted(api)["seeds"] == [34]


def test_a_file_that_was_tidied_away_before_its_job_came_is_there_again(
    api: FakeApi, submitter: Submitter
) -> None:
    first = submitter(12)

    def tidied() -> None:
        for key in [key for key in api.objects if key[1] == "configmaps"]:
            del api.objects[key]

    api.before["create", "rayjobs"] = tidied
    first()
    assert mounted(api)["seeds"] == [12]


def test_an_answer_that_was_lost_is_no_other_submitter(api: FakeApi, submitter: Submitter) -> None:
    """The API server made the RayJob and broke off; the request is sent again."""
    first = submitter(12)
    api.lost_answers.append("POST")
    assert "attached" in first()
    assert mounted(api)["seeds"] == [12]
