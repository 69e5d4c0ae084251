"""`frontier report`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Context, Json, Storage, Sweep, SweepNamespace


def report(
    sweep: Sweep,
    storage: Storage = STORAGE,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="PUBLISHED", help="Compare it with published results: taylor-2024, or a CSV file."
        ),
    ] = None,
    what_if: Annotated[
        str | None,
        typer.Option(
            metavar="KEY=VALUE,…",
            help="What owning each model costs: prices=NAME,requests_per_year=N,memory_limit_gib=N; also "
            "market, device, years, batch (one or task), utilisation, cost_per_error.",
        ),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS,AXIS[,AXIS]",
            help="A frontier on other axes: quality, and one or two of device_hours, wall_time, peak_memory, "
            "trainable_parameters, stored_bytes, money, energy, latency.",
        ),
    ] = None,
    namespace: SweepNamespace = None,
    context: Context = None,
    as_json: Json = False,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Write the report again from the records, and show it.

    Example: frontier report demo --open
    """
    from orchestrator.cli.cluster.copy_note import show_copied
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.paths import ledger_of
    from orchestrator.cli.results.frontier import parse_axes, show_frontiers
    from orchestrator.cli.results.published import load_published
    from orchestrator.cli.results.report import open_page, show_report, write
    from orchestrator.cli.results.what_if import reprice
    from orchestrator.cli.terminal import Terminal, print_json

    if open_it and as_json:
        raise typer.BadParameter("--open and --json cannot be combined")
    published = None if against is None else load_published(against)
    objectives = [] if axes is None else [parse_axes(axes)]
    ledger = ledger_of(sweep, storage, ClusterOptions(namespace, context))
    owned = None if what_if is None else reprice(ledger, what_if)
    written, paths = write(ledger, published, owned, objectives)
    if as_json:
        from orchestrator.report import report_json

        print_json(report_json(written))
        return
    console = Terminal()
    show_copied(ledger, console)
    show_report(written, paths, console)
    for selected in objectives:
        show_frontiers(written, selected, console)
    if open_it:
        open_page(paths["html"], console)
