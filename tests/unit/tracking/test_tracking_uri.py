"""Which MLflow store is written to, and that its password is printed nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.errors import ConfigError
from orchestrator.tracking.tracking_uri import SQLITE, VARIABLE, tracking_uri, without_secrets


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql+psycopg://mlflow:hunter2@db:5432/runs", "postgresql+psycopg://mlflow:***@db:5432/runs"),
        ("postgresql://db/runs?user=me&password=hunter2", "postgresql://db/runs?user=me&password=***"),
        ("postgresql://:hunter2@db/runs?sslmode=require", "postgresql://:***@db/runs?sslmode=require"),
        ("https://mlflow.example/?access_token=hunter2", "https://mlflow.example/?access_token=***"),
        ("mysql://me:hun%40ter2@db/runs", "mysql://me:***@db/runs"),
        ("postgresql://me@db/runs", "postgresql://me@db/runs"),
        ("sqlite:////home/me/sweeps/mlflow.db", "sqlite:////home/me/sweeps/mlflow.db"),
    ],
)
def test_a_password_is_masked_and_the_rest_is_kept(uri: str, shown: str) -> None:
    assert without_secrets(uri) == shown


def test_without_a_setting_the_store_is_beside_the_sweeps(tmp_path: Path) -> None:
    assert tracking_uri(tmp_path, {}) == f"{SQLITE}{tmp_path.resolve()}/mlflow.db"
    assert tracking_uri(tmp_path, {VARIABLE: ""}) == f"{SQLITE}{tmp_path.resolve()}/mlflow.db"


@pytest.mark.parametrize("words", [["sync", "demo"], ["ui", "demo"]])
def test_a_login_in_the_address_of_a_server_is_refused_and_not_repeated(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LedgerBuilder(tmp_path, "demo").plan()
    monkeypatch.setenv(VARIABLE, "https://me:hunter2@mlflow.example")
    ended = CliRunner().invoke(app, [*words, "--storage", str(tmp_path)])
    assert isinstance(ended.exception, ConfigError)
    assert "MLFLOW_TRACKING_PASSWORD" in str(ended.exception)
    assert "hunter2" not in str(ended.exception) + ended.output


def test_a_store_that_cannot_be_reached_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LedgerBuilder(tmp_path, "demo").plan()
    monkeypatch.setenv(VARIABLE, "postgresql+nodriver://me:hunter2@db/runs")
    ended = CliRunner().invoke(app, ["sync", "demo", "--storage", str(tmp_path)])
    assert "postgresql+nodriver://me:***@db/runs" in str(ended.exception)
    assert "hunter2" not in str(ended.exception) + ended.output
