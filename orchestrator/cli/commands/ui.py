"""`frontier ui`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Context, Storage, SweepNamespace


def ui(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[ray|mlflow|SWEEP]",
            help="`ray`: the dashboard of a sweep in the cluster. `mlflow`: the cluster's MLflow. SWEEP: the "
            "MLflow that has its runs, on this machine or in its cluster.",
        ),
    ] = None,
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="For `ray`, if several sweeps run.")
    ] = None,
    storage: Storage = STORAGE,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="A port on 127.0.0.1. Default: 5000, or a free one for a cluster."
        ),
    ] = None,
    namespace: SweepNamespace = None,
    context: Context = None,
    show_token: Annotated[
        bool, typer.Option("--show-token", help="Print the token or password that the page asks for.")
    ] = False,
) -> None:
    """Serve the MLflow UI or the Ray dashboard to this machine only, and print its address. Ctrl-C ends it.

    Example: frontier ui demo
    """
    import os

    from orchestrator.cli.cluster.ui import open_mlflow, open_ray, sweep_location
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.paths import storage_here
    from orchestrator.cli.results.mlflow_server import serve_mlflow
    from orchestrator.cli.terminal import Terminal
    from orchestrator.tracking.tracking_uri import VARIABLE, tracking_uri

    if sweep is not None and target != "ray":
        raise typer.BadParameter("a sweep name is only accepted after `ray`")
    console = Terminal()
    if target == "ray":
        open_ray(sweep, namespace, context, port or 0, show_token, console)
        return
    if target == "mlflow":
        open_mlflow(namespace, context, port or 0, show_token, console)
        return
    uri = tracking_uri(storage_here(storage), os.environ)
    copy = None
    if target is not None and VARIABLE not in os.environ:
        copy = sweep_location(target, storage, ClusterOptions(namespace, context))
    if copy is None:
        serve_mlflow(uri, target, port or 5000, console)
    else:
        open_mlflow(copy.namespace, copy.context, port or 0, show_token, console, copy)
