"""Published numbers beside ours, on the console."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from orchestrator import units
from orchestrator.cli.terminal import plain_table
from orchestrator.report import text
from orchestrator.report.analysis.replication import Replicated, Replication, verdict


def show_replication(replication: Replication, console: Console) -> None:
    """Each published number with a cell of ours, those without by reason, and how the protocols differ."""
    console.print()
    console.print(f"Beside {replication.title}", style="bold", highlight=False)
    console.print(verdict(replication), highlight=False)
    for title, rows in replication.by_table.items():
        console.print()
        console.print(_table(title, rows))
    console.print()
    for reason, number in replication.left_out.items():
        console.print(f"without ours: {number} ({reason})", highlight=False)
    if replication.protocol:
        console.print("What differs in the protocol:", highlight=False)
    for p in replication.protocol:
        console.print(f"  {p.topic}: {p.theirs} Ours: {p.ours}", highlight=False)


def _table(title: str, rows: Sequence[Replicated]) -> Table:
    table = plain_table(title=title)
    for name in ("cell", "published", "ours", "n", "difference", "90 % over seeds and runs", ""):
        figure = name != "cell"
        table.add_column(name, justify="right" if figure else "left", overflow="fold", no_wrap=figure)
    for row in rows:
        table.add_row(
            row.cell,
            f"{row.published.value:.3f}",
            text.mean_text(row.ours),
            str(row.ours.n),
            units.signed(row.difference),
            units.signed_ends(row.interval),
            row.verdict.value,
        )
    return table
