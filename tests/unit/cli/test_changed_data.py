"""Data files that change while a sweep trains: the run says so at its end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from split_tasks import TABLE, rows, table, write_sweep, write_task

from orchestrator.cli.run.changed_data import tell_changed
from orchestrator.cli.session import open_session

FILES = {f"{split}.csv": table(*rows(split)) for split in ("train", "dev", "test")}


def told_after(root: Path, change: str | None) -> str:
    """Return what is said if train.csv has the text `change` by the end; None: if it is gone."""
    write_task(root, FILES, TABLE)
    session = open_session(write_sweep(root), [])
    train = root / "data" / "train.csv"
    train.unlink() if change is None else train.write_text(change)
    console = Console(file=io.StringIO(), width=200)
    tell_changed(session, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_files_that_stayed_as_they_were_are_not_told(tmp_path: Path) -> None:
    assert told_after(tmp_path, FILES["train.csv"]) == ""


@pytest.mark.parametrize(
    "change",
    [table(*rows("train", 9)), FILES["test.csv"], None],
    ids=["a row more", "the rows of test", "gone"],
)
def test_files_that_changed_are_told_with_what_to_do(tmp_path: Path, change: str | None) -> None:
    said = told_after(tmp_path, change)
    assert said.startswith("changed data mine: its files changed while trials ran")
    assert "-> rerun the command" in said
    assert "note" not in said  # no text of the data
