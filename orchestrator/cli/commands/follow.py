"""`frontier follow`."""

from __future__ import annotations

import typer

from orchestrator.cli.options import STORAGE, AnyStorage, AnySweep, Context, Fetch, SweepNamespace


def follow(
    sweep: AnySweep,
    namespace: SweepNamespace = None,
    context: Context = None,
    storage: AnyStorage = None,
    bring: Fetch = True,
) -> None:
    """Show what a sweep does and waits for, on this machine or in a cluster, until it ends.

    Ctrl-C leaves it running.

    Example: frontier follow demo
    """
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.status.local import follow_here, sweep_here
    from orchestrator.cli.terminal import Terminal

    console = Terminal()
    here = sweep_here(sweep, storage or STORAGE, ClusterOptions(namespace, context))
    if here is not None:
        raise typer.Exit(follow_here(here, console))
    from orchestrator.cli.cluster.submit import follow_to_end, open_sweeps

    sweeps = open_sweeps(namespace, context, console)
    if exit_code := follow_to_end(sweeps, sweeps.named(sweep), storage, console, bring):
        raise typer.Exit(exit_code)
