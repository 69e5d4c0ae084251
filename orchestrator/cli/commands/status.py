"""`frontier status`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Context, Json, Storage, SweepNamespace, SweepOrAll


def status(
    sweep: SweepOrAll = None,
    storage: Storage = STORAGE,
    watch: Annotated[
        bool, typer.Option("--watch", help="Refresh every two seconds, until the sweep ends or Ctrl-C.")
    ] = False,
    namespace: SweepNamespace = None,
    context: Context = None,
    as_json: Json = False,
) -> None:
    """Show the trials by state, each failure with its reason, and the device-hours so far.

    Without a name, it lists the sweeps and where it looked. If only the cluster of the kubeconfig has the
    sweep, it shows what the sweep does there.

    Example: frontier status demo --watch
    """
    from orchestrator.cli.cluster.lookup import InClusterError, show_in_cluster
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.paths import ledger_of
    from orchestrator.cli.status.view import show_status, status_json
    from orchestrator.cli.terminal import Terminal, print_json, table_terminal

    if watch and as_json:
        raise typer.BadParameter("--watch and --json cannot be combined")
    if sweep is None:
        if watch:
            raise typer.BadParameter("--watch needs the name of a sweep")
        from orchestrator.cli.status.sweeps import show_sweeps, sweeps_in

        if as_json:
            print_json(sweeps_in(storage))
        else:
            show_sweeps(storage, table_terminal())
        return
    try:
        ledger = ledger_of(sweep, storage, ClusterOptions(namespace, context))
    except InClusterError as error:
        if watch or as_json:
            raise
        show_in_cluster(error, Terminal())
        return
    if watch:
        from orchestrator.cli.status.watch import watch as watch_sweep

        watch_sweep(ledger, Terminal())
    elif as_json:
        print_json(status_json(ledger))
    else:
        show_status(ledger, Terminal())
