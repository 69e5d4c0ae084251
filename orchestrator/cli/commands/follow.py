"""`frontier follow`."""

from __future__ import annotations

import typer

from orchestrator.cli.cluster_options import NAMESPACE
from orchestrator.cli.options import ClusterSweep, Context, Fetch, Namespace, PodStorage


def follow(
    sweep: ClusterSweep,
    namespace: Namespace = NAMESPACE,
    context: Context = None,
    storage: PodStorage = None,
    bring: Fetch = True,
) -> None:
    """Show what a sweep in a cluster does and waits for, until it ends. Ctrl-C leaves it running.

    Example: frontier follow demo
    """
    from orchestrator.cli.cluster.submit import follow_to_end, open_sweeps
    from orchestrator.cli.terminal import Terminal

    console = Terminal()
    sweeps = open_sweeps(namespace, context, console)
    if exit_code := follow_to_end(sweeps, sweeps.named(sweep), storage, console, bring):
        raise typer.Exit(exit_code)
