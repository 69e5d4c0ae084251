"""`frontier report --open`."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_builder import LedgerBuilder
from typer.testing import CliRunner

from orchestrator.cli.app import app


@pytest.mark.parametrize("has_browser", [True, False])
def test_the_page_is_opened_or_it_says_how_to_see_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_browser: bool
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda page: opened.append(page) or has_browser)
    LedgerBuilder(tmp_path, "demo").plan(["tiny"], ["general"], ["full"], seeds=[1])
    done = CliRunner().invoke(app, ["report", "demo", "--open", "--storage", str(tmp_path)])
    assert opened == [(tmp_path / "demo/report/report.html").as_uri()]
    assert ("no browser was found here" in done.output) is not has_browser


def test_opening_and_json_exclude_each_other(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "demo", "--open", "--json"], env={"COLUMNS": "150"})
    assert done.exit_code == 2
    assert "--open and --json cannot be combined" in done.output
