"""`frontier resume`."""

from __future__ import annotations

import typer

from orchestrator.cli.cluster_options import NAMESPACE
from orchestrator.cli.options import ClusterSweep, Context, Fetch, Follow, Namespace, PodStorage


def resume(
    sweep: ClusterSweep,
    namespace: Namespace = NAMESPACE,
    context: Context = None,
    storage: PodStorage = None,
    stay: Follow = True,
    bring: Fetch = True,
) -> None:
    """Continue a sweep that was stopped, suspended or ended early, as it was submitted.

    Example: frontier resume demo
    """
    from orchestrator.cli.cluster.submit import follow_to_end, open_sweeps
    from orchestrator.cli.terminal import Terminal

    console = Terminal()
    sweeps = open_sweeps(namespace, context, console)
    name = sweeps.named(sweep)
    sweeps.resume(name)
    if stay and (exit_code := follow_to_end(sweeps, name, storage, console, bring)):
        raise typer.Exit(exit_code)
