"""`frontier stop`."""

from __future__ import annotations

from orchestrator.cli.cluster_options import NAMESPACE
from orchestrator.cli.options import ClusterSweep, Context, Namespace


def stop(sweep: ClusterSweep, namespace: Namespace = NAMESPACE, context: Context = None) -> None:
    """End a sweep in a cluster and remove its pods.

    The storage stays, and `frontier resume` continues from it.

    Example: frontier stop demo
    """
    from orchestrator.cli.cluster.submit import open_sweeps
    from orchestrator.cli.terminal import Terminal

    sweeps = open_sweeps(namespace, context, Terminal())
    sweeps.stop(sweeps.named(sweep))
