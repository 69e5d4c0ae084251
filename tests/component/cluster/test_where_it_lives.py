"""`status`, `ledger`, `report` and `ui` of a sweep whose records are in the cluster, or here as a copy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kubernetes_api import FakeApi
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts import layout
from orchestrator.contracts.copy_mark import Copy

from .conftest import RUNNING, Frontier
from .test_ui import encoded, opened, page  # noqa: F401  the fixture


@pytest.fixture
def running(api: FakeApi, submit: Frontier) -> str:
    api.scripts = [[]]
    submit("--no-follow")
    [job] = api.all("rayjobs")
    job["status"] = RUNNING
    identity = str(job["metadata"]["name"])
    message = "0/3 nodes are available: 3 Insufficient cpu."
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    api.pod("w", identity, "worker", phase="Pending", conditions=[condition])
    return identity


@pytest.fixture
def copied(host: str, tmp_path: Path) -> Path:
    built = LedgerBuilder(tmp_path / "sweeps", "ours")
    built.attempt(built.plan(methods=["full"])[0], Fate(quality=0.9))
    mark = Copy(sweep="ours-123456", host=host, namespace="frontier", fetched_at=0.0)
    (built.ledger.directory / layout.COPY).write_text(mark.model_dump_json())
    return built.ledger.directory


def test_status_of_a_sweep_in_the_cluster_asks_the_cluster(frontier: Frontier, running: str) -> None:
    said = frontier("status", "ours")
    assert said.code == 0, said.text
    assert f"{running}, in namespace frontier of http" in said.text
    assert "Running" in said.text
    assert "3 Insufficient cpu." in said.text
    assert f"`frontier fetch {running}` copies the records here" in said.text


def test_status_of_a_stopped_sweep_says_how_it_goes_on(frontier: Frontier, running: str) -> None:
    frontier("stop", "ours")
    said = frontier("status", running)
    assert said.code == 0, said.text
    assert f"stopped; `frontier resume {running}`" in said.text


@pytest.mark.parametrize(
    "command", [("ledger",), ("report",), ("status", "--json"), ("score",)], ids="-".join
)
def test_what_needs_the_records_names_the_command_that_copies_them(
    frontier: Frontier, running: str, command: tuple[str, ...]
) -> None:
    said = frontier(*command, "ours")
    assert said.code == 2
    assert f"run `frontier fetch {running}`" in said.text
    assert said.out == ""


@pytest.mark.usefixtures("running")
def test_a_name_that_nobody_knows_is_unknown_to_both(frontier: Frontier) -> None:
    said = frontier("status", "theirs")
    assert said.code == 2
    assert "there is no sweep 'theirs'" in said.text
    assert "has none of that name either" in said.text


def test_a_cluster_that_does_not_answer_costs_no_patience(api: FakeApi, frontier: Frontier) -> None:
    api.trouble = [503]
    said = frontier("status", "ours")
    assert said.code == 2
    assert "there is no sweep 'ours'" in said.text
    assert "the cluster was asked as well" in said.text


def test_two_sweeps_of_a_name_are_told_apart_by_their_ids(
    api: FakeApi, frontier: Frontier, submit: Frontier, running: str
) -> None:
    submit("--no-follow", storage="/storage/elsewhere")
    said = frontier("status", "ours")
    assert said.code == 2
    assert "2 sweeps are called 'ours'" in said.text


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("command", ["status", "ledger", "report"])
def test_a_copy_is_read_offline_and_says_that_it_is_one(
    api: FakeApi, frontier: Frontier, command: str
) -> None:
    said = frontier(command, "ours")
    assert said.code == 0, said.text
    assert "a copy of ours-123456 in namespace frontier" in said.text
    assert "`frontier fetch ours-123456` refreshes it" in said.text
    assert api.seen == []


@pytest.mark.usefixtures("copied")
def test_a_copy_as_json_is_json(frontier: Frontier) -> None:
    assert json.loads(frontier("status", "ours", "--json").out)["sweep"] == "ours"


@pytest.mark.usefixtures("copied")
def test_the_runs_of_a_copy_are_opened_in_the_mlflow_of_its_cluster(
    api: FakeApi,
    page: int,  # noqa: F811
    tmp_path: Path,
) -> None:
    service = {"spec": {"selector": {"app": "mlflow"}, "ports": [{"port": 80, "targetPort": 5000}]}}
    api.put("services", "mlflow", service)
    api.put("pods", "m", {"metadata": {"labels": {"app": "mlflow"}}, "status": {"phase": "Running"}})
    api.put("secrets", "frontier-mlflow", encoded(MLFLOW_TRACKING_USERNAME="me"))
    api.ports["m", 5000] = page
    with opened(tmp_path, "ours") as (_, said):
        assert "MLflow UI" in said[-1]


def test_the_runs_of_a_copy_are_not_sought_in_another_cluster(frontier: Frontier, copied: Path) -> None:
    mark = copied / layout.COPY
    mark.write_text(mark.read_text().replace("127.0.0.1", "10.0.0.1"))
    said = frontier("ui", "ours")
    assert said.code == 3
    assert "--context" in said.text
