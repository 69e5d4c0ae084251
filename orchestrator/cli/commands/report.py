"""`frontier report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import STORAGE, Context, Json, Storage, SweepNamespace, complete_sweep

if TYPE_CHECKING:
    from orchestrator.report import Report
    from orchestrator.report.analysis.objectives import Objective
    from orchestrator.tracking.ledger import Ledger

_Sweep = Annotated[
    str | None,
    typer.Argument(
        metavar="[SWEEP]",
        help="A sweep's name below --storage, or a path to one. Omit it with --from or --mlflow.",
        autocompletion=complete_sweep,
    ),
]
_Against = Annotated[
    str | None,
    typer.Option(metavar="PUBLISHED", help="Compare it with published results: taylor-2024, or a CSV file."),
]
_WhatIf = Annotated[
    str | None,
    typer.Option(
        metavar="KEY=VALUE,…",
        help="What owning each model costs: prices=NAME,requests_per_year=N,memory_limit_gib=N; also "
        "market, device, years, batch (one or task), utilisation, cost_per_error.",
    ),
]
_Axes = Annotated[
    str | None,
    typer.Option(
        metavar="AXIS,AXIS[,AXIS]",
        help="A frontier on other axes: quality, and one or two of device_hours, wall_time, peak_memory, "
        "trainable_parameters, stored_bytes, money, energy, latency.",
    ),
]
_From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FILE.csv|DIR",
        help="Runs that Frontier did not make: a CSV file, or a folder of results of PEFT's "
        "method_comparison.",
    ),
]
_Mlflow = Annotated[
    str | None,
    typer.Option(metavar="URI", help="Runs in MLflow: a server, or sqlite:///PATH. Needs --experiment."),
]
_Experiment = Annotated[str | None, typer.Option(metavar="NAME", help="The experiment in MLflow.")]
_Mapping = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.yaml",
        help="Says which column has what, for tables and for MLflow runs: docs/how-to/other-runs.md.",
    ),
]
_Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="With --from or --mlflow: where to write the report. Default: NAME-report."
    ),
]
_Figures = Annotated[
    bool, typer.Option("--figures", help="Also write figures for a paper, as PDF, SVG and PNG.")
]
_Open = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]


def report(
    sweep: _Sweep = None,
    storage: Storage = STORAGE,
    against: _Against = None,
    what_if: _WhatIf = None,
    axes: _Axes = None,
    source: _From = None,
    mlflow: _Mlflow = None,
    experiment: _Experiment = None,
    mapping: _Mapping = None,
    out: _Out = None,
    namespace: SweepNamespace = None,
    context: Context = None,
    as_json: Json = False,
    figures: _Figures = False,
    open_it: _Open = False,
) -> None:
    """Write the report again from the records, and show it; or report on runs that Frontier did not make.

    Example: frontier report demo --open
    """
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.paths import ledger_of
    from orchestrator.cli.results.foreign import Asked, report_on_runs
    from orchestrator.cli.results.frontier import parse_axes
    from orchestrator.cli.results.published import load_published
    from orchestrator.cli.results.report import build_and_write
    from orchestrator.cli.results.what_if import reprice
    from orchestrator.cli.steps import Steps, showing
    from orchestrator.cli.terminal import Terminal, print_json

    if open_it and as_json:
        raise typer.BadParameter("--open and --json cannot be combined")
    asked = Asked(sweep, source, mlflow, experiment, mapping, out)
    asked.check(of_sweeps={"--against": against, "--what-if": what_if})
    published = None if against is None else load_published(against)
    objectives = [] if axes is None else [parse_axes(axes)]
    if sweep is None:
        ledger = None
        written, paths = report_on_runs(asked, objectives)
    else:
        ledger = ledger_of(sweep, storage, ClusterOptions(namespace, context))
        owned = None if what_if is None else reprice(ledger, what_if)
        with showing(Terminal(stderr=True), Steps(), prefix="") as steps:
            written, paths = build_and_write(ledger, published, owned, objectives, steps=steps)
    drawn = _draw(written, paths["html"].parent / "figures") if figures else []
    if as_json:
        from orchestrator.report import report_json

        print_json(report_json(written))
    else:
        _show(written, paths, ledger, objectives, drawn, open_it=open_it)


def _draw(report: Report, folder: Path) -> list[Path]:
    from orchestrator.report.figures import write_figures

    return write_figures(report, folder)


def _show(
    report: Report,
    paths: Mapping[str, Path],
    ledger: Ledger | None,
    objectives: Sequence[tuple[Objective, ...]],
    drawn: Sequence[Path],
    *,
    open_it: bool,
) -> None:
    from orchestrator.cli.cluster.copy_note import show_copied
    from orchestrator.cli.results.frontier import show_frontiers
    from orchestrator.cli.results.report import open_page, show_report
    from orchestrator.cli.terminal import Terminal

    console = Terminal()
    if ledger is not None:
        show_copied(ledger, console)
    show_report(report, paths, console)
    if drawn:
        console.print(f"figures: {drawn[0].parent} ({len(drawn)} files)", highlight=False, soft_wrap=True)
    for selected in objectives:
        show_frontiers(report, selected, console)
    if open_it:
        open_page(paths["html"], console)
