"""What the file of a SQLite store says without MLflow, which would create its tables in whatever it opens."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

_TABLES = {"experiments", "runs", "metrics"}  # of MLflow, among some sixty others


def is_mlflow_store(path: Path) -> bool:
    """Return whether the file is a database with the tables of MLflow."""
    try:
        with _reading(path) as database:
            tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    except sqlite3.Error:
        return False
    return {name for (name,) in tables} >= _TABLES


def created_at(path: Path, experiment: str) -> int | None:
    """Return when the experiment was created, in Unix milliseconds. None where there is none, or no store."""
    try:
        with _reading(path) as database:
            row = database.execute(
                "SELECT creation_time FROM experiments WHERE name = ?", (experiment,)
            ).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None or row[0] is None else int(row[0])


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file that exists, and neither change nor create one."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        yield database
