"""`frontier compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import RUN_SWEEP, STORAGE, Json, Storage, complete_sweep

_FIRST = typer.Argument(metavar="FIRST", help=f"{RUN_SWEEP}.", autocompletion=complete_sweep)
_SECOND = typer.Argument(metavar="SECOND", help=f"{RUN_SWEEP}.", autocompletion=complete_sweep)


def compare(
    first: Annotated[str, _FIRST],
    second: Annotated[str, _SECOND],
    storage: Storage = STORAGE,
    as_json: Json = False,
) -> None:
    """Show two sweeps side by side: quality and cost of each cell, and what changed in its recipe.

    Says which figures cannot be compared, because the data, the metric or the device differ. Writes nothing.

    Example: frontier compare demo demo-longer
    """
    from orchestrator.cli.paths import ledger_of
    from orchestrator.cli.results.compare import Side
    from orchestrator.cli.results.compare import compare as compare_sides
    from orchestrator.cli.results.compare_tables import show_comparison
    from orchestrator.cli.steps import Steps, showing
    from orchestrator.cli.terminal import Terminal, print_json
    from orchestrator.errors import ConfigError, Problem

    steps = Steps()
    sides = Side(ledger_of(first, storage), steps), Side(ledger_of(second, storage), steps)
    if sides[0].ledger.directory == sides[1].ledger.directory:
        problem = f"{first!r} and {second!r} are one sweep, {sides[0].ledger.directory}"
        raise ConfigError([Problem("command line", "SECOND", problem, "name another sweep")])
    with showing(Terminal(stderr=True), steps, prefix=""):
        rows = compare_sides(*sides)
    if as_json:
        print_json({"first": sides[0].name, "second": sides[1].name, "cells": rows})
    else:
        show_comparison(rows, *sides, Terminal())
