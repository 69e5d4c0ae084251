"""`frontier clean`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Json, Storage, Sweep


def clean(
    sweep: Sweep,
    storage: Storage = STORAGE,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete it, instead of showing it.")] = False,
    as_json: Json = False,
) -> None:
    """Show what of a sweep can be deleted and how much space it takes; delete it with --yes.

    That is: checkpoints of finished trials, all but the records of superseded attempts, whole models that
    `keep_weights` drops, and probes. The report stays the same. Never touches a sweep that is running.

    Example: frontier clean demo
    """
    from orchestrator.cli.paths import ledger_of
    from orchestrator.cli.results.clean import cleaning_json, delete, find_removable, show_cleaning
    from orchestrator.cli.terminal import Terminal, print_json

    ledger = ledger_of(sweep, storage)
    cleaning = delete(ledger) if yes else find_removable(ledger)
    if as_json:
        print_json(cleaning_json(ledger, cleaning, yes))
    else:
        show_cleaning(ledger, cleaning, yes, Terminal())
