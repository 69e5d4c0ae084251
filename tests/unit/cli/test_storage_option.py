"""Where sweeps are stored can be told to every verb in one way."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.paths import in_command
from orchestrator.errors import ConfigError

SWEEP = "name: s\nmodels: [demo-tiny]\ndomains: [general]\nmethods: [full]\ntasks: [demo-outcome]\n"


def test_plan_takes_the_option_and_the_key_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SWEEP)
    shown = [
        CliRunner().invoke(app, ["plan", "s.yaml", "--json", *words])
        for words in (["--storage", "else where: 1"], ["storage='else where: 1'"])
    ]
    assert [done.exit_code for done in shown] == [0, 0]
    assert shown[0].stdout == shown[1].stdout


@pytest.mark.parametrize("verb", ["plan", "run", "stage"])
def test_a_storage_that_cannot_be_one_is_a_mistake_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SWEEP + "storage_options: {endpoint_url: 'http://localhost'}\n")
    failed = CliRunner().invoke(app, [verb, "s.yaml", "--storage", "here"])
    assert isinstance(failed.exception, ConfigError)
    assert "is of a storage by URI, and storage is 'here'" in str(failed.exception)


@pytest.mark.parametrize("verb", ["run", "stage"])
def test_a_storage_that_cannot_be_made_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SWEEP)
    failed = CliRunner().invoke(app, [verb, "s.yaml", "--storage", "/proc/x"])
    assert isinstance(failed.exception, ConfigError)
    assert str(failed.exception).count("->") == 1
    assert "storage: /proc/x cannot be made" in str(failed.exception)
    assert CliRunner().invoke(app, ["plan", "s.yaml", "--storage", "/proc/x"]).exit_code == 0


def test_a_printed_command_names_a_sweep_elsewhere_by_its_quoted_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert in_command(tmp_path / "sweeps" / "demo") == "demo"
    assert in_command(Path("my results/demo")) == "'my results/demo'"
