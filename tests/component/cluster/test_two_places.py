"""Sweeps in two namespaces and two clusters: what is printed is pasted, and means the same sweep."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes_api import FakeApi, serving

from orchestrator.contracts import layout
from orchestrator.contracts.copy_mark import copy_in

from .conftest import RUNNING, SUCCEEDED, Frontier
from .test_fetch import HOME, served, volume  # noqa: F401  fixtures

THERE = ("--namespace", "team-a", "--context", "fake")


@pytest.fixture
def api(api: FakeApi) -> FakeApi:
    """Whose sweeps are in a namespace of its own."""
    api.home = "team-a"
    api.put("namespaces", "team-a", {})
    return api


@pytest.fixture
def elsewhere(host: str, tmp_path: Path) -> Iterator[str]:
    """Another cluster, which the kubeconfig's current context names; that of `api` is the context `fake`."""
    other, file = FakeApi(), tmp_path / "other-kubeconfig"
    other.put("namespaces", "frontier", {})
    with serving(other, file) as address:
        known = yaml.safe_load((tmp_path / "kubeconfig").read_text())
        known["clusters"].append({"name": "other", "cluster": {"server": address}})
        known["contexts"].append({"name": "other", "context": {"cluster": "other", "user": "fake"}})
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(known | {"current-context": "other"}))
        yield address


def commands(text: str) -> list[list[str]]:
    """Those that are quoted in it."""
    return [shlex.split(found) for found in re.findall(r"`frontier ([^`]+)`", text)]


@pytest.fixture
def running(api: FakeApi, submit: Frontier, elsewhere: str) -> str:
    api.scripts = [[RUNNING, SUCCEEDED]]
    submit("--no-follow", *THERE)
    [job] = api.all("rayjobs")
    assert job["metadata"]["namespace"] == "team-a"
    return str(job["metadata"]["name"])


@pytest.mark.usefixtures("served")
def test_what_status_prints_reaches_the_same_sweep(frontier: Frontier, running: str) -> None:
    said = frontier("status", "ours", *THERE)
    assert said.code == 0, said.text
    found = commands(said.text)
    assert [words[0] for words in found] == ["follow", "fetch"]
    follow, fetch = (frontier(*words) for words in found)
    assert follow.code == 1, follow.text  # as a trial of the volume failed
    assert "1 trial failed" in follow.text
    assert fetch.code == 0, fetch.text


@pytest.mark.usefixtures("served")
def test_the_records_are_had_by_the_command_that_their_absence_names(
    frontier: Frontier, running: str
) -> None:
    for verb in ("ledger", "report", "score", "status"):
        missing = frontier(verb, "ours", *THERE, "--json")
        assert missing.code == 2
        assert "sweep is in namespace team-a" in missing.text
        fetch, status = commands(missing.text)
    assert frontier(*status).code == 0
    assert frontier(*fetch).code == 0
    for verb in ("ledger", "report", "score", "status"):
        for sweep in ("ours", running):
            said = frontier(verb, sweep, *THERE)
            assert said.code == 0, said.text


@pytest.mark.usefixtures("running")
def test_a_sweep_of_another_cluster_is_none_of_this_one(frontier: Frontier) -> None:
    for verb in ("status", "ledger", "report", "score", "sync", "ui"):
        said = frontier(verb, "ours")
        assert said.code == 2
        assert "there is no sweep 'ours'" in said.text


@pytest.mark.usefixtures("served")
def test_copies_from_two_places_are_told_apart_by_where_they_are_from(
    api: FakeApi, frontier: Frontier, submit: Frontier, running: str
) -> None:
    api.home = "team-b"
    api.put("namespaces", "team-b", {})
    here = ("--namespace", "team-b", "--context", "fake")
    submit("--no-follow", *here)
    first = frontier("fetch", running, *THERE)
    second = frontier("fetch", running, *here)
    assert (first.code, second.code) == (0, 0), second.text
    for place, others in ((THERE, "team-b"), (here, "team-a")):
        said = frontier("ledger", running, *place)
        assert said.code == 0, said.text
        assert f"in namespace {place[1]} of" in said.text
        assert others not in said.text
        [refresh] = commands(said.text)
        again = frontier(*refresh)
        assert again.code == 0, again.text
    mark = copy_in(HOME)
    assert mark is not None
    assert mark.namespace == "team-a"


@pytest.mark.usefixtures("served")
def test_a_copy_is_found_by_its_id_and_refreshed_where_it_is(frontier: Frontier, running: str) -> None:
    assert frontier("fetch", "ours", *THERE, "--into", "my copies").code == 0
    said = frontier("ledger", running, "--storage", "my copies")
    assert said.code == 0, said.text
    [refresh] = commands(said.text)
    mark = Path("my copies", "ours", layout.COPY)
    before = mark.read_text()
    assert frontier(*refresh).code == 0
    assert mark.read_text() != before
    assert not HOME.exists()


def test_an_own_sweep_is_not_taken_for_the_one_in_the_cluster(frontier: Frontier, running: str) -> None:
    HOME.mkdir(parents=True)
    (HOME / layout.SWEEP).write_text("{}")
    said = frontier("status", "ours", *THERE)
    assert said.code == 0, said.text
    assert f"{running}, in namespace team-a of http" in said.text


def test_where_the_variable_names_another_namespace_the_usual_one_is_named_as_well(
    api: FakeApi, frontier: Frontier, submit: Frontier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRONTIER_NAMESPACE", "team-b")
    api.home = "frontier"
    submit("--no-follow", "--namespace", "frontier")
    said = frontier("stop", "ours", "--namespace", "frontier")
    [resume] = commands(said.text)
    api.scripts = [[], [SUCCEEDED]]
    assert frontier(*resume).code == 0


def test_a_context_that_nobody_knows_is_said_to_be_the_mistake(frontier: Frontier) -> None:
    said = frontier("ledger", "ours", "--context", "nowhere")
    assert said.code in (2, 3)
    assert "nowhere" in said.text
