"""Data that changed while trials ran: those that began later read other rows than their fingerprints say."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from orchestrator.cli.own_cache import own_cache
from orchestrator.cli.session import Session
from orchestrator.cli.terminal import styled
from orchestrator.config.data_digests import digest_data
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import ConfigError


def tell_changed(session: Session, console: Console) -> None:
    for name in changed_tasks(session):
        console.print(
            styled("changed data", "red"),
            f"{name}: its files changed while trials ran, so results may be of different rows\n"
            "    -> rerun the command, with files that stay as they are: it trains this task again",
            highlight=False,
            soft_wrap=True,
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
