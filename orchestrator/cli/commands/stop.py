"""`frontier stop`."""

from __future__ import annotations

from orchestrator.cli.options import STORAGE, AnyStorage, AnySweep, Context, SweepNamespace


def stop(
    sweep: AnySweep,
    namespace: SweepNamespace = None,
    context: Context = None,
    storage: AnyStorage = None,
) -> None:
    """End a sweep on this machine, as Ctrl-C does, or in a cluster, where its pods are removed.

    The records stay: `frontier run` continues here, and `frontier resume` in a cluster.

    Example: frontier stop demo
    """
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.status.local import stop_here, sweep_here
    from orchestrator.cli.terminal import Terminal

    console = Terminal()
    here = sweep_here(sweep, storage or STORAGE, ClusterOptions(namespace, context))
    if here is not None:
        stop_here(here, console)
        return
    from orchestrator.cli.cluster.submit import open_sweeps

    sweeps = open_sweeps(namespace, context, console)
    sweeps.stop(sweeps.named(sweep))
