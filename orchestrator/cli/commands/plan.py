"""`frontier plan`."""

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


def plan(
    config: Config,
    overrides: Overrides = None,
    storage: OwnStorage = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Run a short probe for each backbone, method and task, then plan."),
    ] = False,
    launcher: Annotated[LauncherName, launcher_option("What runs the probes.")] = LauncherName.RAY,
    address: Annotated[
        str | None, typer.Option(envvar="RAY_ADDRESS", help="A Ray cluster for the probes.")
    ] = None,
    insecure_cluster: InsecureCluster = False,
    smoke: Smoke = False,
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="CELL", help="Show the recipe and settings of one cell, and where each value comes from."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the grid, what will run and why, and what it will cost.

    Without --measure no device is used.

    Example: frontier plan demo methods=full,lora seeds=1,2
    """
    from orchestrator.cli.corpus_counts import count_sizes
    from orchestrator.cli.opening import open_aloud
    from orchestrator.cli.plan.budget import show_budget
    from orchestrator.cli.plan.explain import explain_json, show_explained
    from orchestrator.cli.plan.view import plan_json, show_plan
    from orchestrator.cli.terminal import Terminal, print_json
    from orchestrator.cli.token_counts import count_tokens

    aside = Terminal(stderr=True)  # the plan alone is printed on the standard output
    session = open_aloud(config, with_storage(overrides, storage), aside, smoke=smoke)
    session = count_tokens(count_sizes(session, Terminal(stderr=True)), Terminal(stderr=True))
    if measure:
        from orchestrator.cli.plan.probes import measured_session
        from orchestrator.execution.launcher import ClusterChoice

        choice = ClusterChoice(address, insecure_cluster)
        session = measured_session(session, launcher, choice, Terminal(stderr=as_json))
    session.plan_aloud(aside)
    if as_json:
        print_json(plan_json(session.plan) if explain is None else explain_json(session.plan, explain))
    elif explain is not None:
        show_explained(session.plan, explain, Terminal())
    else:
        console = Terminal()
        show_plan(session.plan, console)
        show_budget(session.plan, console)
