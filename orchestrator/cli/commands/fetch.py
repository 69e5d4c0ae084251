"""`frontier fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.cluster_options import NAMESPACE
from orchestrator.cli.options import STORAGE, ClusterSweep, Context, Namespace


def fetch(
    sweep: ClusterSweep,
    namespace: Namespace = NAMESPACE,
    context: Context = None,
    into: Annotated[Path, typer.Option(help="The directory that holds sweeps on this machine.")] = Path(
        STORAGE
    ),
) -> None:
    """Copy the records and the report of a sweep in a cluster to this machine, and show the report.

    A second fetch replaces the copy. Checkpoints and weights stay in the cluster.

    Example: frontier fetch demo
    """
    from orchestrator.cli.cluster.fetch import bring_home
    from orchestrator.cli.cluster.submit import open_sweeps
    from orchestrator.cli.results.report import build_and_write, show_report
    from orchestrator.cli.terminal import Terminal
    from orchestrator.tracking.ledger import Ledger

    console = Terminal()
    sweeps = open_sweeps(namespace, context, console)
    report, paths = build_and_write(Ledger(bring_home(sweeps, sweeps.named(sweep), into, console)))
    show_report(report, paths, console)
