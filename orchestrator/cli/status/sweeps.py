"""The sweeps of a storage, one row each, and the sweep files that come with the project."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from rich.console import Console

from orchestrator.cli.paths import storage_here
from orchestrator.cli.sweep_files import shipped_sweeps
from orchestrator.cli.terminal import plain_table
from orchestrator.config.yaml_sources import read_mapping
from orchestrator.contracts import layout
from orchestrator.contracts.copy_mark import copy_in
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import LedgerError
from orchestrator.storage.remote import is_uri
from orchestrator.tracking.ledger import Ledger
from orchestrator.units import quantity


class SweepRow(TypedDict):
    """Keys are stable: `--json` prints them. None where it is not known."""

    sweep: str
    directory: str
    state: str
    driver: str | None
    trials: dict[str, int]  # by state
    planned: int | None
    written_at: float | None  # Unix time
    question: str | None
    copy: str | None


def sweeps_in(storage: str) -> list[SweepRow]:
    """Return a row per sweep that has run there, by name.

    Of an object store: those that this machine has a mirror of.
    """
    directories = sorted(path.parent for path in storage_here(storage).glob(f"[!.]*/{layout.SWEEP}"))
    return [_row(directory.resolve()) for directory in directories]


def _row(directory: Path) -> SweepRow:
    ledger, copy = Ledger(directory), copy_in(directory)
    row: SweepRow = {
        "sweep": directory.name,
        "directory": str(directory),
        "state": "unreadable",
        "driver": None,
        "trials": {},
        "planned": None,
        "written_at": None,
        "question": None,
        "copy": None if copy is None else str(copy),
    }
    try:
        sweep = ledger.sweep()
        counts = Counter(record.state for record in ledger.trials())
    except LedgerError:
        return row
    driver = None if copy else ledger.driver()
    row["state"] = "running" if driver else _state(counts, len(sweep.trials))
    row["driver"] = driver
    row["trials"] = {state.value: count for state, count in counts.items()}
    row["planned"] = len(sweep.trials)
    row["written_at"] = sweep.written_at
    row["question"] = sweep.question
    return row


def _state(counts: Counter[TrialState], planned: int) -> str:
    if counts[TrialState.FINISHED] == planned:
        return "complete"
    if counts[TrialState.FINISHED] + counts[TrialState.FAILED] == planned:
        return f"{counts[TrialState.FAILED]} failed"
    return "not complete"


def _minute(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at).isoformat(" ", "minutes")


def shipped_questions() -> dict[str, str]:
    """Return the question of each shipped sweep file, by its name."""
    raws = {name: read_mapping(path, str(path))[0].raw for name, path in shipped_sweeps().items()}
    return {name: str(raw.get("question", "")) for name, raw in raws.items()}


def show_sweeps(storage: str, console: Console) -> None:
    """Print the sweeps that have run and where they were looked for, then the shipped sweep files."""
    here = storage_here(storage).resolve()
    location = f"the mirror of {storage} on this machine ({here})" if is_uri(storage) else str(here)
    rows = sweeps_in(storage)
    if rows:
        table = plain_table("sweep", "state", "started", "question", numbers=("finished",))
        for row in rows:
            done = row["trials"].get(TrialState.FINISHED.value, 0)
            of = "" if row["planned"] is None else f"{done} of {row['planned']}"
            started = _minute(row["written_at"])
            table.add_row(row["sweep"], row["state"], started, row["question"] or "", of)
        console.print(table)
    console.print(
        f"{quantity(len(rows), 'sweep')} in {location}; --storage names another place",
        highlight=False,
        soft_wrap=True,
    )
    console.print()
    table = plain_table("shipped", "question")
    for name, question in shipped_questions().items():
        table.add_row(name, question)
    console.print(table)
    console.print("`frontier plan NAME` shows what a sweep would cost", style="dim", highlight=False)
