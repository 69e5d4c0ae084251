"""Records in, runs out: a real MLflow server with accounts, on a real PostgreSQL."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping

import pytest
from mlflow_server import MlflowServer
from workshop import Workshop

pytestmark = pytest.mark.e2e


def status(server: MlflowServer, path: str, **body: str) -> int:
    """What the server answers to the driver's account."""
    account = server.environment()
    login = ":".join(account[f"MLFLOW_TRACKING_{name}"] for name in ("USERNAME", "PASSWORD"))
    headers = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    request = urllib.request.Request(
        f"{server.uri}/api/2.0/mlflow/{path}",
        json.dumps(body).encode(),
        headers | {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_the_account_of_the_driver_makes_experiments_and_no_accounts(mlflow_server: MlflowServer) -> None:
    assert status(mlflow_server, "experiments/create", name="of the driver") == 200
    assert status(mlflow_server, "users/create", username="another", password="0123456789abc") == 403


def test_a_server_with_accounts_says_what_the_records_say(
    finished: Workshop, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def be(account: Mapping[str, str]) -> None:
        for name, value in account.items():
            monkeypatch.setenv(name, value)

    uri = mlflow_server.uri
    be(mlflow_server.environment())
    again = finished.frontier("run", "mini.yaml", "--launcher", "local", server=uri)
    assert f"MLflow:  {uri}" in again.stdout
    outcomes = {o["trial"]: o for o in finished.outcomes().values() if o["state"] == "finished"}
    found = mlflow_server.runs("mini")
    assert found.keys() == outcomes.keys()
    for trial, run in found.items():
        for name, figure in outcomes[trial]["test"].items():
            assert run.data.metrics.get(f"test_{name}") == figure["value"]

    done = finished.frontier("sync", "mini", server=uri)
    assert f"0 runs written, {len(outcomes)} were up to date: {uri}" in done.stdout
    after = mlflow_server.runs("mini")
    assert {run.info.run_id for run in after.values()} == {run.info.run_id for run in found.values()}

    MlflowClient(uri).delete_run(next(iter(after.values())).info.run_id)  # something to write
    reader = mlflow_server.add_reader("reader")
    for said, account in {
        "refuses the login": reader | {"MLFLOW_TRACKING_PASSWORD": "not-the-password"},
        "lets nothing be written": reader,
    }.items():
        be(account)
        refused = finished.frontier("sync", "mini", server=uri, expect=5)
        assert said in refused.stderr
        assert "MLFLOW_TRACKING_USERNAME" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert account["MLFLOW_TRACKING_PASSWORD"] not in refused.stderr
    be(mlflow_server.environment())
    assert f"{len(outcomes) - 1} were up to date" in finished.frontier("sync", "mini", server=uri).stdout
    assert mlflow_server.runs("mini").keys() == outcomes.keys()
