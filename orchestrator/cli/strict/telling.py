"""`frontier doctor --strict`: one line per check."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from orchestrator.cli.paths import storage_here
from orchestrator.cli.strict.machine import check_machine
from orchestrator.cli.strict.surroundings import surroundings
from orchestrator.cli.terminal import styled
from orchestrator.config import load_sweep
from orchestrator.contracts.risks import Checked

_OK, _PROBLEM = styled("ok     ", "green"), styled("problem", "red")
_UNSEEN = styled("not yet", "yellow")


def check_here(config: Path | None, address: str | None, console: Console) -> int:
    """Check this machine, for the sweep of a file where one is given. Return the number of problems."""
    from orchestrator.execution.ray.launcher import joined_address

    address = joined_address(address, os.environ)
    if config is None:
        here = surroundings(storage_here("sweeps"), address=address)
    else:
        sweep = load_sweep(config, [], cwd=Path.cwd())
        here = surroundings(sweep.storage, data_dir=sweep.data_dir, remote=sweep.remote, address=address)
    return tell(check_machine(here), console)


def tell(checks: Iterable[Checked], console: Console) -> int:
    """Print a line per check. Return the number of problems."""
    problems = 0
    for checked in checks:
        problems += checked.is_problem
        mark = _OK if checked.is_seen else _UNSEEN
        console.print(_PROBLEM if checked.is_problem else mark, end=" ")
        fix = f" -> {checked.fix}" if checked.fix else ""
        console.print(f"{checked.risk}: {checked.words}{fix}", highlight=False, soft_wrap=True)
    return problems
