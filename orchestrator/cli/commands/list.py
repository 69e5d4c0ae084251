"""`frontier list`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Catalogues


class Listed(StrEnum):
    MODELS = "models"
    METHODS = "methods"
    TASKS = "tasks"
    METRICS = "metrics"
    PRICES = "prices"
    DEVICES = "devices"
    SWEEPS = "sweeps"


def list_names(
    kind: Annotated[
        Listed | None, typer.Argument(metavar=f"[{'|'.join(Listed)}]", help="Default: how many of each.")
    ] = None,
    catalogue: Catalogues = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="For tasks: look for their files below this directory.")
    ] = None,
    storage: Annotated[str, typer.Option(help="Where sweeps and staged weights are stored.")] = STORAGE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array of rows.")] = False,
) -> None:
    """List what a sweep file can name, and the sweeps that have run.

    Shows sizes, licences, where weights come from, and what can be used offline on this machine.

    Example: frontier list models
    """
    from orchestrator.cli.catalogue.listing import KINDS
    from orchestrator.cli.catalogue.listing_tables import show_rows
    from orchestrator.cli.paths import cache_of, storage_here
    from orchestrator.cli.status.sweeps import show_sweeps, sweeps_in
    from orchestrator.cli.terminal import plain_table, print_json, table_terminal
    from orchestrator.config import load_catalogue

    if kind is Listed.SWEEPS:
        if as_json:
            print_json(sweeps_in(storage))
        else:
            show_sweeps(storage, table_terminal())
        return
    entries, cache = load_catalogue(catalogue or []), cache_of(storage_here(storage))
    rows = {name: list(of_kind(entries, cache, data_dir)) for name, of_kind in KINDS.items()}
    if kind is None:
        counts = {name: len(listed) for name, listed in rows.items()} | {"sweeps": len(sweeps_in(storage))}
        if as_json:
            print_json([{"list": name, "entries": count} for name, count in counts.items()])
            return
        table = plain_table("", numbers=("entries",))
        for name, count in counts.items():
            table.add_row(f"frontier list {name}", str(count))
        table_terminal().print(table)
    elif as_json:
        print_json(rows[kind])
    else:
        show_rows(kind, rows[kind], table_terminal())
