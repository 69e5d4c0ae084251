"""`frontier run`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import (
    Config,
    InsecureCluster,
    Json,
    LauncherName,
    Overrides,
    OwnStorage,
    Smoke,
    launcher_option,
    with_storage,
)


def run(
    config: Config,
    overrides: Overrides = None,
    storage: OwnStorage = None,
    launcher: Annotated[
        LauncherName,
        launcher_option(
            "What runs the trials; simulated plays the schedule in virtual time, without training."
        ),
    ] = LauncherName.RAY,
    address: Annotated[
        str | None,
        typer.Option(envvar="RAY_ADDRESS", help="A Ray cluster to join instead of starting one."),
    ] = None,
    insecure_cluster: InsecureCluster = False,
    dashboard: Annotated[
        bool | None,
        typer.Option(
            "--dashboard/--no-dashboard",
            help="Start Ray's dashboard with a private cluster. Default: if the forecast is over a minute.",
            show_default=False,
        ),
    ] = None,
    smoke: Smoke = False,
    as_json: Json = False,
    exit_zero: Annotated[
        bool,
        typer.Option(
            "--exit-zero",
            help="Exit 0 even if trials failed or the budget ran out, so that a supervisor does not restart "
            "the job. The last line of the output gives the result as JSON.",
        ),
    ] = False,
) -> None:
    """Train what the plan says is missing, then write the report. Rerun it to resume.

    Example: frontier run demo recipe.epochs=1 --launcher local
    """
    import os
    import sys

    from orchestrator.cli.opening import open_aloud
    from orchestrator.cli.run import launch
    from orchestrator.cli.run.rehearsal import rehearse
    from orchestrator.cli.terminal import Terminal, print_json
    from orchestrator.execution.launcher import ClusterChoice
    from orchestrator.tracking.tracking_uri import tracking_uri

    console = Terminal(stderr=as_json)
    session = open_aloud(config, with_storage(overrides, storage), console, smoke=smoke)
    if launcher is LauncherName.SIMULATED:
        rehearsed = rehearse(session, console)
        if as_json:
            print_json(rehearsed)
        return
    uri = tracking_uri(session.sweep.storage, os.environ)
    cluster = ClusterChoice(address, insecure_cluster, dashboard)
    report, verdict = launch.run(session, launcher, cluster, uri, console)
    if as_json:
        print_json(report)
    if exit_zero:
        print(verdict.line, file=sys.stderr if as_json else sys.stdout, flush=True)
    elif verdict.exit_code:
        raise typer.Exit(verdict.exit_code)
