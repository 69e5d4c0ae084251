"""Records in, runs out: a real MLflow server with accounts, on a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from mlflow_server import MlflowServer
from workshop import Workshop

pytestmark = pytest.mark.e2e


def runs(server: MlflowServer, experiment: str) -> dict[str, Any]:
    """Active ones by trial, the summary left out."""
    from mlflow import MlflowClient

    client = MlflowClient(server.uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    listed = client.search_runs([found.experiment_id], max_results=500)
    assert len({run.data.tags["frontier.trial"] for run in listed}) == len(listed)
    return {run.data.tags["frontier.trial"]: run for run in listed if "seed" in run.data.tags}


def test_a_server_with_accounts_says_what_the_records_say(
    finished: Workshop, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in mlflow_server.environment().items():
        monkeypatch.setenv(name, value)
    uri = mlflow_server.uri
    again = finished.frontier("run", "mini.yaml", "--launcher", "local", server=uri)
    assert f"MLflow:  {uri}" in again.stdout
    outcomes = {o["trial"]: o for o in finished.outcomes().values() if o["state"] == "finished"}
    found = runs(mlflow_server, "mini")
    assert found.keys() == outcomes.keys()
    for trial, run in found.items():
        for name, figure in outcomes[trial]["test"].items():
            assert run.data.metrics[f"test_{name}"] == pytest.approx(figure["value"])
    stamps = {trial: run.info.end_time for trial, run in found.items()}

    done = finished.frontier("sync", "mini", server=uri)
    assert f"0 runs written, {len(outcomes)} were up to date: {uri}" in done.stdout
    after = runs(mlflow_server, "mini")
    assert {trial: run.info.end_time for trial, run in after.items()} == stamps
    assert {run.info.run_id for run in after.values()} == {run.info.run_id for run in found.values()}

    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    refused = finished.frontier("sync", "mini", server=uri, expect=3)
    assert "Traceback" not in refused.stderr
    assert "wrong" not in refused.stderr
    assert "MLFLOW_TRACKING_USERNAME" in refused.stderr
