"""Data that changed while trials ran: those that began later read other rows than their fingerprints say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from rich.console import Console

from orchestrator.cli.own_cache import own_cache
from orchestrator.cli.session import Session
from orchestrator.cli.terminal import styled
from orchestrator.config.data_digests import digest_data
from orchestrator.contracts.sweep import ChangedData
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import ConfigError, LedgerError, StorageError
from orchestrator.execution.clock import SystemClock
from orchestrator.tracking.mlflow_view import MlflowView


@contextmanager
def watched_data(
    session: Session, view: MlflowView, console: Console, *, runs: bool = True
) -> Iterator[list[str]]:
    """Give a list of the tasks whose files changed while it is held, empty until its end, and where nothing
    `runs`. Each change is in the sweep's record and in MLflow by then, however it ends."""
    clock, tasks = SystemClock(), list[str]()
    since = clock.now()
    try:
        yield tasks
    finally:
        tasks += changed_tasks(session) if runs else []
        changes = [ChangedData(task=name, since=since, until=clock.now()) for name in tasks]
        try:
            _record(session, view, changes)
        except (LedgerError, StorageError) as error:
            console.print(
                styled("not recorded", "red"), f"changed data: {error}", highlight=False, soft_wrap=True
            )


def _record(session: Session, view: MlflowView, changes: Sequence[ChangedData]) -> None:
    """Write the changes into the sweep's record, and what follows from them into the runs of its tasks."""
    if not changes or session.ledger.last_sweep() is None:  # nothing has run
        return
    with session.ledger.lock():
        sweep = session.ledger.sweep().model_copy(update={"changed_data": tuple(changes)})
        view.follow(session.ledger.write_sweep(sweep))
        tasks = {change.task for change in changes}
        for record in chain(session.ledger.candidates(), session.ledger.trials()):
            if record.planned.cell.task in tasks:
                view.publish(record)


def tell_changed(tasks: Sequence[str], console: Console) -> None:
    for name in tasks:
        console.print(
            styled("changed data", "red"),
            f"{name}: its files changed while trials ran, so results may be of different rows\n"
            "    -> rerun the command with the new files: it trains this task again",
            highlight=False,
        )


def changed_tasks(session: Session) -> list[str]:
    """Return the tasks whose files are others than when the sweep was planned, or gone."""
    root = session.sweep.data_dir
    if root is None:
        return []
    return [name for name, task in session.tasks.items() if _digest(task, root) != session.inputs.data[name]]


def _digest(task: TaskSpec, root: Path) -> str | None:
    try:
        return digest_data(task, root, own_cache())
    except (ConfigError, OSError):  # a file that two splits name by now, or that cannot be read
        return None
