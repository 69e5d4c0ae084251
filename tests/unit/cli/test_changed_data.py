"""Data files that change while a sweep trains: the run says so at its end, and its records keep it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder
from rich.console import Console
from split_tasks import TABLE, rows, table, write_sweep, write_task

from orchestrator.cli.run.changed_data import tell_changed, watched_data
from orchestrator.cli.session import Session, open_session
from orchestrator.cli.status.view import status_json
from orchestrator.contracts.sweep import ChangedData
from orchestrator.report import build_report
from orchestrator.report.recommendation.summary import sentences
from orchestrator.tracking.mlflow_view import MlflowView

FILES = {f"{split}.csv": table(*rows(split)) for split in ("train", "dev", "test")}
CHANGED = [table(*rows("train", 9)), FILES["test.csv"], None]


def planned(root: Path) -> Session:
    """A sweep whose driver has written its record, and nothing more."""
    write_task(root, FILES, TABLE)
    session = open_session(write_sweep(root), [])
    session.ledger.write_sweep(session.plan.record(written_at=0, frontier_version="0", provenance={}))
    return session


def watch(session: Session, change: str | None, failure: BaseException | None = None) -> str:
    """Return what is said if train.csv has the text `change` by the end; None: if it is gone."""
    console = Console(file=io.StringIO(), width=200)
    view = MlflowView(f"sqlite:///{session.sweep.sweep_directory}.db", session.ledger.sweep())
    train = session.sweep.data_dir / "train.csv"
    with watched_data(session, view, console) as changed:
        train.unlink() if change is None else train.write_text(change)
        if failure is not None:
            raise failure
    tell_changed(changed, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_files_that_stayed_as_they_were_are_not_told(tmp_path: Path) -> None:
    session = planned(tmp_path)
    assert watch(session, FILES["train.csv"]) == ""
    assert "changed_data" not in (session.sweep.sweep_directory / "sweep.json").read_text()


@pytest.mark.parametrize("change", CHANGED, ids=["a row more", "the rows of test", "gone"])
def test_files_that_changed_are_told_with_what_to_do(tmp_path: Path, change: str | None) -> None:
    session = planned(tmp_path)
    said = watch(session, change)
    assert said.startswith("changed data mine: its files changed while trials ran")
    assert "-> rerun the command" in said
    assert "note" not in said  # no text of the data
    [found] = session.ledger.sweep().changed_data
    assert found.task == "mine"
    assert found.since < found.until


def test_a_change_is_recorded_where_the_run_was_interrupted_and_the_next_driver_keeps_it(tmp_path):
    session = planned(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        watch(session, CHANGED[0], KeyboardInterrupt())
    before = session.ledger.sweep().changed_data
    assert [change.task for change in before] == ["mine"]
    session.ledger.write_sweep(session.plan.record(written_at=1, frontier_version="0", provenance={}))
    assert session.ledger.sweep().changed_data == before


def test_results_that_ended_meanwhile_are_named_where_results_are_read(tmp_path: Path) -> None:
    built = LedgerBuilder(tmp_path)
    trials = built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2, 3])
    for trial in trials:
        built.attempt(trial, Fate(quality=0.7 + 0.01 * trial.seed))
    ended = max(record.outcome.ended_at for record in built.ledger.trials())
    before = ChangedData(task="outcome", since=ended - 2000, until=ended - 1000)
    built.ledger.write_sweep(built.sweep.model_copy(update={"changed_data": (before,)}))
    assert build_report(built.ledger.sweep(), built.ledger.trials()).tasks[0].doubts == ()
    change = ChangedData(task="outcome", since=ended - 1000, until=ended)
    built.ledger.write_sweep(built.sweep.model_copy(update={"changed_data": (change,)}))
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    said = "The files of this task changed while trials ran: 3 results may be of other rows than planned."
    assert report.tasks[0].notes[0].startswith(said)
    assert "the files of “Outcome” changed while trials ran, so 3 of its results may" in sentences(report)[-1]
    assert status_json(built.ledger)["caveats"]["outcome"][0].startswith(said)
