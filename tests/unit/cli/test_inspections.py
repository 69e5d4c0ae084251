"""What `frontier task inspect` and `frontier backbone inspect` refuse before they start a worker."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["task", "inspect", "demo-nre", "data_dri=x", "skip"], ["task", "data_dri", "skip"]),
        (
            ["backbone", "inspect", "demo-tinny-general", "--method", "lra", "--set", "rank"],
            ["backbone", "method", "rank"],
        ),
    ],
)
def test_all_mistakes_come_at_once(words: list[str], keys: list[str]) -> None:
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, ConfigError)
    assert [problem.key for problem in error.problems] == keys
    assert "--catalogue" in error.problems[0].fix
