"""Which records are a copy, and of what."""

from __future__ import annotations

import shlex
from datetime import datetime

from rich.console import Console

from orchestrator.cli import cluster_options
from orchestrator.cli.paths import HOME
from orchestrator.contracts.copy_mark import copy_in
from orchestrator.tracking.ledger import Ledger


def show_copied(ledger: Ledger, console: Console) -> None:
    """Print which sweep the records are a copy of, if they are one."""
    copy = copy_in(ledger.directory)
    if copy is None:
        return
    options = "" if copy.host == "unknown" else cluster_options.as_arguments(copy.namespace, copy.context)
    home = ledger.directory.parent
    into = "" if home == HOME.resolve() else f" --into {shlex.quote(str(home))}"
    when = datetime.fromtimestamp(copy.fetched_at).isoformat(" ", "minutes")
    console.print(
        f"{copy}, fetched {when}; `frontier fetch {copy.sweep}{options}{into}` refreshes it",
        highlight=False,
        soft_wrap=True,
    )
