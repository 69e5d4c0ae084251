"""MLflow that lacks runs is said at the laptop, and `frontier sync` writes them where the records are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes_api import FakeApi
from ledger_builder import LedgerBuilder

from orchestrator.cluster.checks.kuberay_job import check
from orchestrator.cluster.documents import Document
from orchestrator.cluster.naming import SWEEP_NAME
from orchestrator.cluster.ray_job import RayJob
from orchestrator.cluster.sync_job import sync_job
from orchestrator.contracts import layout
from orchestrator.contracts.copy_mark import Copy

from .conftest import RUNNING, STARTING, SUCCEEDED, Frontier, failed
from .test_verdict import CALM_END, ending, submitter

Body = dict[str, Any]
DONE = "2 runs written, 0 were up to date: http://mlflow:5000"


@pytest.fixture
def made(api: FakeApi, submit: Frontier) -> list[Body]:
    """A sweep that has ended, and the RayJobs that are made from then on."""
    api.scripts = [ending(CALM_END)]
    submit("--no-fetch")
    found: list[Body] = []
    create = api._create

    def created(key: Any, body: Body) -> Body:
        found.extend([body] if key[1] == "rayjobs" else [])
        return create(key, body)

    api._create = created  # type: ignore[method-assign]
    return found


def syncing(end: Body, log: str) -> list[Any]:
    def ended(fake: FakeApi, body: Body) -> Body:
        submitter(fake, "sync", body["metadata"]["name"], log)
        return end

    return [STARTING, RUNNING, ended]


def test_runs_that_mlflow_lacks_are_said_with_the_command_that_writes_them(
    api: FakeApi, submit: Frontier
) -> None:
    why = "MLflow at http://mlflow:5000 cannot be written (OSError); the records lack nothing\n    -> more"
    api.scripts = [ending(CALM_END.model_copy(update={"unpublished": why}))]
    said = submit("--no-fetch")
    assert said.code == 0, said.text
    assert "MLflow lacks runs: MLflow at http://mlflow:5000 cannot be written (OSError)" in said.text
    assert "-> `frontier sync ours-" in said.text


def test_sync_runs_in_the_cluster_on_a_head_alone(api: FakeApi, frontier: Frontier, made: list[Body]) -> None:
    api.scripts.append(syncing(SUCCEEDED, f"job j: SUCCEEDED\n  greeting\n  {DONE}\nJob finished.\n"))
    [sweep] = api.all("rayjobs")
    said = frontier("sync", "ours")
    assert said.code == 0, said.text
    assert said.text.rstrip().endswith(DONE)
    [job] = made
    assert job["metadata"]["name"] == f"{sweep['metadata']['name']}-sync"
    assert job["spec"]["entrypoint"] == "frontier sync /storage/sweeps/ours"
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["workerGroupSpecs"] == []
    assert (
        cluster["headGroupSpec"]["template"]["spec"]
        == (sweep["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"])
    )
    assert (
        job["spec"]["submitterPodTemplate"]["spec"]["containers"][0]["args"][1] == job["spec"]["entrypoint"]
    )
    assert list(check([Document("sync", job)])) == []
    left = {
        body["metadata"]["name"] for body in api.all("rayjobs") if "deletionTimestamp" not in body["metadata"]
    }
    assert left == {sweep["metadata"]["name"]}
    assert "no sweep" not in frontier("status", "ours").text


def test_long_names_stay_apart_and_paths_are_quoted() -> None:
    names = [f"{'a' * 40}-{digest}" for digest in ("871336", "871337")]
    jobs = [
        sync_job(
            RayJob(
                {
                    "metadata": {"name": name, "annotations": {SWEEP_NAME: "ours"}, "labels": {}},
                    "spec": {
                        "rayClusterSpec": {"headGroupSpec": {"template": {}}},
                        "submitterPodTemplate": {"spec": {"containers": [{}]}},
                    },
                }
            ),
            "/storage/my sweeps",
        )
        for name in names
    ]
    made = [job["metadata"]["name"] for job in jobs]
    assert len(set(made)) == 2
    assert all(len(name) <= 47 and name.endswith("-sync") for name in made)
    assert jobs[0]["spec"]["entrypoint"] == "frontier sync '/storage/my sweeps/ours'"


def test_a_sync_that_fails_says_the_last_words_of_the_driver(
    api: FakeApi, frontier: Frontier, made: list[Body]
) -> None:
    words = "  MLflow at http://mlflow:5000 refuses the login"
    api.scripts.append(
        syncing(failed(message="Job entrypoint command failed with exit code 5"), f"{words}\n")
    )
    said = frontier("sync", "ours")
    assert said.code == 3
    assert words.strip() in said.text
    assert len(made) == 1  # it is not started again


def test_a_sweep_that_runs_is_left_to_its_driver(api: FakeApi, frontier: Frontier, made: list[Body]) -> None:
    api.all("rayjobs")[0]["status"] = RUNNING
    said = frontier("sync", "ours")
    assert said.code == 3
    assert "its driver writes to MLflow" in said.text
    assert made == []


def test_a_copy_is_synced_in_its_cluster(
    api: FakeApi, host: str, frontier: Frontier, made: list[Body], tmp_path: Path, identity: Any
) -> None:
    api.scripts.append(syncing(SUCCEEDED, f"  {DONE}\n"))
    built = LedgerBuilder(tmp_path / "sweeps", "ours")
    built.plan(methods=["full"])
    mark = Copy(sweep=identity(), host=host, namespace="frontier", fetched_at=0.0)
    (built.ledger.directory / layout.COPY).write_text(mark.model_dump_json())
    said = frontier("sync", "ours")
    assert said.code == 0, said.text
    assert DONE in said.text
    (built.ledger.directory / layout.COPY).write_text(
        mark.model_copy(update={"host": "other"}).model_dump_json()
    )
    assert "--context" in frontier("sync", "ours").text
