"""What `frontier task inspect` and `frontier backbone inspect` refuse before they start a worker."""

from __future__ import annotations

from pathlib import Path

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


def test_a_broken_entry_blocks_no_other_task_and_is_told_for_its_own(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "broken.yaml").write_text("title: x\n")

    def problems(task: str) -> list[str]:
        words = ["task", "inspect", task, "--catalogue", str(tmp_path)]
        error = CliRunner().invoke(app, words).exception
        assert isinstance(error, ConfigError)
        return [problem.key for problem in error.problems]

    assert problems("ncbi-disease") == ["data_dir"]
    assert problems("broken") == ["kind", "domain", "reader", "metric"]
    assert problems("brokn") == ["task"]


def test_a_file_of_data_is_no_task_and_a_part_of_a_name_points_to_it(tmp_path: Path) -> None:
    file = tmp_path / "letters.csv"
    file.write_text("text,label\n")
    for name, words in ((str(file), f"`frontier init {file}` writes one"), ("ncbi", "'ncbi-disease'")):
        error = CliRunner().invoke(app, ["task", "inspect", name]).exception
        assert isinstance(error, ConfigError)
        assert words in error.problems[0].fix


def test_an_unknown_launcher_is_refused_in_our_own_words() -> None:
    output = CliRunner().invoke(app, ["run", "x.yaml", "--launcher", "locall"]).output
    assert "unknown launcher, got 'locall'" in output
    assert "Value error" not in output
