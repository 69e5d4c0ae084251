"""A run with nothing new leaves MLflow alone; a sync, another store and a new result do not."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts import layout
from orchestrator.tracking.mlflow_view import MlflowView, sync
from orchestrator.tracking.published import RunsInStore
from orchestrator.tracking.tracking_uri import quiet_environment
from orchestrator.tracking.trial_costs import totals_of


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in quiet_environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def store(tmp_path: Path, mlflow_store: Path) -> Path:
    return Path(shutil.copy(mlflow_store, tmp_path / "mlflow.db"))


@pytest.fixture
def built(tmp_path: Path) -> LedgerBuilder:
    ledger = LedgerBuilder(tmp_path, "kept")
    ledger.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11, 12])
    ledger.finish_all()
    return ledger


def publish(built: LedgerBuilder, store: Path) -> list[bool]:
    """Publish as a run of the command does; what was written, the summary last."""
    ledger, uri = built.ledger, f"sqlite:///{store}"
    view = MlflowView(uri, ledger.sweep(), RunsInStore(uri, ledger.directory))
    written = [view.publish(record) for record in ledger.trials()]
    written.append(view.publish_summary(totals_of(ledger.trials(), 0), "The answer."))
    assert view.warning is None
    return written


def make_unreadable(store: Path) -> None:
    """The same store, without its table of runs: asking it for them fails."""
    change(store, "ALTER TABLE runs RENAME TO gone")


def change(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store)) as database, database:
        database.execute(statement)


def names_in(store: Path) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("kept")
    return sorted(run.info.run_name for run in client.search_runs([experiment.experiment_id]))


def test_a_store_that_has_everything_is_not_asked(built: LedgerBuilder, store: Path) -> None:
    assert publish(built, store) == [True, True, True]
    assert publish(built, store) == [False, False, False]
    make_unreadable(store)
    assert publish(built, store) == [False, False, False]
    later = built.sweep.model_copy(update={"written_at": built.sweep.written_at + 60})
    built.ledger.write_sweep(later)
    assert publish(built, store) == [False, False, False]


def test_after_a_new_attempt_its_run_and_the_summary_are_written(built: LedgerBuilder, store: Path) -> None:
    publish(built, store)
    built.plan(models=["tiny"], domains=["general"], methods=["full"], seeds=[11, 12, 13])
    built.attempt(built.sweep.trials[-1], Fate(quality=0.6))
    assert publish(built, store) == [False, False, True, True]
    assert publish(built, store) == [False, False, False, False]
    assert len(names_in(store)) == 4


def test_another_store_gets_every_run(built: LedgerBuilder, store: Path, tmp_path: Path) -> None:
    empty = Path(shutil.copy(store, tmp_path / "other.db"))
    publish(built, store)
    assert publish(built, empty) == [True, True, True]


def test_a_store_that_was_wiped_counts_as_another_one(tmp_path: Path) -> None:
    """Seen by what is remembered alone: within a process MLflow keeps the old file open."""
    store = tmp_path / "mlflow.db"
    store.write_text("before")
    before = RunsInStore(f"sqlite:///{store}", tmp_path)
    before.note("a run", "its digest")
    before.save()
    assert RunsInStore(f"sqlite:///{store}", tmp_path).says("a run", "its digest")
    (tmp_path / "new.db").write_text("after")
    (tmp_path / "new.db").rename(store)
    assert not RunsInStore(f"sqlite:///{store}", tmp_path).says("a run", "its digest")
    store.unlink()
    assert not RunsInStore(f"sqlite:///{store}", tmp_path).says("a run", "its digest")


def test_a_new_store_in_the_same_place_on_the_disk_counts_as_another_one(
    built: LedgerBuilder, store: Path
) -> None:
    """A file system gives the number of a deleted file to the next one."""
    empty = store.read_bytes()
    publish(built, store)
    number, uri = store.stat().st_ino, f"sqlite:///{store}"
    assert len(RunsInStore(uri, built.ledger.directory).names) == 3
    change(store, "UPDATE experiments SET creation_time = creation_time + 1000 WHERE name = 'kept'")
    assert not RunsInStore(uri, built.ledger.directory).names
    change(store, "UPDATE experiments SET creation_time = creation_time - 1000 WHERE name = 'kept'")
    assert len(RunsInStore(uri, built.ledger.directory).names) == 3
    store.write_bytes(empty)
    assert store.stat().st_ino == number
    assert not RunsInStore(uri, built.ledger.directory).names


def test_sync_writes_a_run_again_that_somebody_deleted(built: LedgerBuilder, store: Path) -> None:
    from mlflow import MlflowClient

    publish(built, store)
    before = names_in(store)
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("kept")
    client.delete_run(client.search_runs([experiment.experiment_id])[0].info.run_id)
    assert names_in(store) != before
    sync(built.ledger, f"sqlite:///{store}", "The answer.")
    assert names_in(store) == before
    make_unreadable(store)
    assert publish(built, store) == [False, False, False]


@pytest.mark.parametrize("damaged", ["", "{}", '{"store": 1, "runs": []}'])
def test_a_damaged_memory_counts_as_none(built: LedgerBuilder, store: Path, damaged: str) -> None:
    publish(built, store)
    (built.ledger.directory / layout.PUBLISHED).write_text(damaged)
    assert publish(built, store) == [False, False, False]  # asked, and found to have all
    make_unreadable(store)
    assert publish(built, store) == [False, False, False]
