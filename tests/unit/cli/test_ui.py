"""The words that `frontier ui` takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.errors import ConfigError


def test_a_sweep_that_is_not_there_opens_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    LedgerBuilder(tmp_path, "demo").plan()
    failed = CliRunner().invoke(app, ["ui", "demoo", "--storage", str(tmp_path)])
    assert isinstance(failed.exception, ConfigError)
    assert "did you mean 'demo'?" in str(failed.exception)


@pytest.mark.parametrize("words", [["demo", "other"], ["mlflow", "demo"], ["demo", "--port", "99999"]])
def test_what_would_be_ignored_is_refused(words: list[str]) -> None:
    assert CliRunner().invoke(app, ["ui", *words]).exit_code == 2
