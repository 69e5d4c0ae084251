"""The verbs."""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from orchestrator.cli.cluster.copy_note import show_copied
from orchestrator.cli.commands import cluster, cluster_sweeps, inspect
from orchestrator.cli.commands.capabilities import show_capabilities
from orchestrator.cli.paths import ledger_of, storage_here
from orchestrator.cli.reaching import Where
from orchestrator.cli.terminal import Terminal
from orchestrator.contracts.debugging import show_words
from orchestrator.contracts.files import OTHER_ACCOUNTS, OTHER_GROUPS, shut_out
from orchestrator.errors import ConfigError, Problem
from orchestrator.tracking.tracking_uri import VARIABLE, tracking_uri, without_secrets

app = typer.Typer(
    name="frontier",
    help="Which is the cheapest fine-tuned model that is good enough, and how sure are we?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


_IN_PODS = ("submit", "resume")  # sweeps that run there


@app.callback()
def _before_the_verb(
    context: typer.Context,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Print foreign tracebacks in full. They may quote the data. Not in a cluster."
        ),
    ] = False,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="Let your group read what is stored, and write it where your umask is 002.",
        ),
    ] = False,
) -> None:
    """What is stored is for this account alone, unless it is shared."""
    if shared and context.invoked_subcommand in _IN_PODS:
        problem = (
            f"`frontier {context.invoked_subcommand}` runs a sweep in pods, which store for themselves alone"
        )
        fix = "remove it; `frontier --shared fetch SWEEP` copies the records here for your group"
        raise ConfigError([Problem("command line", "--shared", problem, fix)])
    shut_out(OTHER_GROUPS if shared else OTHER_ACCOUNTS)
    if debug:
        show_words()


app.command("capabilities")(show_capabilities)
app.add_typer(inspect.task_app, name="task")
app.add_typer(inspect.backbone_app, name="backbone")
app.command()(cluster.render)
app.command()(cluster.doctor)
app.command()(cluster_sweeps.submit)
app.command()(cluster_sweeps.follow)
app.command()(cluster_sweeps.fetch)
app.command()(cluster_sweeps.stop)
app.command()(cluster_sweeps.resume)

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A sweep file, say configs/sweeps/demo.yaml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[AXIS=VALUE]...", help="Keys of the file to set, say seeds=[1,2] recipe.epochs=1."
    ),
]
Sweep = Annotated[
    str, typer.Argument(metavar="SWEEP", help="The name of a sweep that has run, or its directory or URI.")
]
Storage = Annotated[str, typer.Option(help="Where sweeps are stored: a directory, or s3://bucket/prefix.")]
Smoke = Annotated[
    bool, typer.Option("--smoke", help="The same grid on tiny untrained models and a few invented rows.")
]
InsecureCluster = Annotated[
    bool,
    typer.Option("--insecure-cluster", help="Join a cluster that asks for no token; the report says so."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
OwnStorage = Annotated[
    str | None, typer.Option("--storage", help="Where sweeps are stored, instead of `storage` of the file.")
]

_STORAGE = "sweeps"


class LauncherName(StrEnum):
    RAY = "ray"
    LOCAL = "local"
    SIMULATED = "simulated"


def console(as_json: bool = False) -> Console:
    """For people; where the output is JSON, what people should know goes to stderr."""
    return Terminal(stderr=as_json)


def _overrides(given: list[str] | None, storage: str | None) -> list[str]:
    return [*(given or []), *([] if storage is None else [f"storage={json.dumps(storage)}"])]


def print_json(value: Any) -> None:
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    print(json.dumps(value, indent=1, ensure_ascii=not unicode))  # escapes keep what `?` would lose


@app.command()
def plan(
    config: Config,
    overrides: Overrides = None,
    storage: OwnStorage = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Run a short probe for each backbone, method and task, then plan."),
    ] = False,
    launcher: Annotated[LauncherName, typer.Option(help="Who runs the probes.")] = LauncherName.RAY,
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
    """The grid, what will run and why, and what it costs. Without --measure no device is touched."""
    from orchestrator.cli.plan.budget import show_budget
    from orchestrator.cli.plan.view import plan_json, show_plan
    from orchestrator.cli.session import open_session

    session = open_session(config, _overrides(overrides, storage), smoke=smoke)
    if measure:
        from orchestrator.cli.plan.probes import measure as run_probes
        from orchestrator.execution.launcher import ClusterChoice

        session = run_probes(session, launcher, ClusterChoice(address, insecure_cluster), console(as_json))
    found = session.plan
    if explain is not None:
        from orchestrator.cli.plan.explain import explain_json, show_explained

        if as_json:
            print_json(explain_json(found, explain))
        else:
            show_explained(found, explain, console())
    elif as_json:
        print_json(plan_json(found))
    else:
        show_plan(found, console())
        show_budget(found, console())


@app.command()
def run(
    config: Config,
    overrides: Overrides = None,
    storage: OwnStorage = None,
    launcher: Annotated[LauncherName, typer.Option(help="Who runs the trials.")] = LauncherName.RAY,
    address: Annotated[
        str | None,
        typer.Option(envvar="RAY_ADDRESS", help="A Ray cluster to join instead of one of our own."),
    ] = None,
    insecure_cluster: InsecureCluster = False,
    smoke: Smoke = False,
    as_json: Json = False,
    exit_zero: Annotated[
        bool,
        typer.Option(
            "--exit-zero",
            help="Exit 0 although trials failed or the budget is spent, where a scheduler would start the "
            "job again. The last line of the output says in JSON how it ended.",
        ),
    ] = False,
) -> None:
    """Train what the plan says is missing, then write the report. Again: goes on where it stopped."""
    from orchestrator.cli.opening import open_aloud
    from orchestrator.cli.run import launch
    from orchestrator.execution.launcher import ClusterChoice

    out = console(as_json)
    session = open_aloud(config, _overrides(overrides, storage), out, smoke=smoke)
    if launcher is LauncherName.SIMULATED:
        rehearsed = launch.rehearse(session, out)
        if as_json:
            print_json(rehearsed)
        return
    uri = tracking_uri(session.sweep.storage, os.environ)
    report, verdict = launch.run(session, launcher, ClusterChoice(address, insecure_cluster), uri, out)
    if as_json:
        print_json(report)
    if exit_zero:
        print(verdict.line, file=sys.stderr if as_json else sys.stdout, flush=True)
    elif verdict.exit_code:
        raise typer.Exit(verdict.exit_code)


@app.command()
def stage(
    config: Config,
    overrides: Overrides = None,
    storage: OwnStorage = None,
    smoke: Smoke = False,
    convert: Annotated[
        bool,
        typer.Option(
            "--convert",
            help="Where a hub has pickled weights only, fetch them and convert them to safetensors, once.",
        ),
    ] = False,
) -> None:
    """Fetch, make and hash-check weights and data ahead, so that the run needs no network."""
    from orchestrator.cli.session import open_session

    session = open_session(config, _overrides(overrides, storage), smoke=smoke)
    session.refuse_missing()
    session.stage(console(), tell_present=True, convert=convert)


@app.command()
def status(
    sweep: Sweep,
    storage: Storage = _STORAGE,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every other second, until it is over or Ctrl-C.")
    ] = False,
    namespace: cluster_sweeps.SoughtIn = None,
    context: cluster_sweeps.Context = None,
    as_json: Json = False,
) -> None:
    """Trials by state, what failed and why, and the device-hours so far. Of a sweep that only the cluster of
    the kubeconfig has: what it does there."""
    from orchestrator.cli.cluster.lookup import InClusterError, show_in_cluster
    from orchestrator.cli.status.view import show_status, status_json

    if watch and as_json:
        raise typer.BadParameter("--watch is a page to look at, --json a record: give one of them")
    try:
        ledger = ledger_of(sweep, storage, Where(namespace, context))
    except InClusterError as there:
        if watch or as_json:
            raise
        show_in_cluster(there, console())
        return
    if watch:
        from orchestrator.cli.status.watch import watch as watch_sweep

        watch_sweep(ledger, console())
    elif as_json:
        print_json(status_json(ledger))
    else:
        show_status(ledger, console())


@app.command()
def ledger(
    sweep: Sweep,
    storage: Storage = _STORAGE,
    namespace: cluster_sweeps.SoughtIn = None,
    context: cluster_sweeps.Context = None,
    as_json: Json = False,
) -> None:
    """Where the device time went: useful, wasted or unexplained, by phase, with energy, tokens and FLOPs."""
    from orchestrator.cli.results.ledger import ledger_json, show_ledger

    found = ledger_of(sweep, storage, Where(namespace, context))
    if as_json:
        print_json(ledger_json(found))
    else:
        show_copied(found, console())
        show_ledger(found, console())


@app.command()
def report(
    sweep: Sweep,
    storage: Storage = _STORAGE,
    against: Annotated[
        str | None,
        typer.Option(metavar="PUBLISHED", help="Hold it against published results: taylor-2024, or a CSV."),
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
    namespace: cluster_sweeps.SoughtIn = None,
    context: cluster_sweeps.Context = None,
    as_json: Json = False,
) -> None:
    """Write the report again, from the records alone."""
    from orchestrator.cli.results.frontier import parse_axes, show_frontiers
    from orchestrator.cli.results.published import load_published
    from orchestrator.cli.results.report import show_report, write
    from orchestrator.cli.results.what_if import reprice

    published = None if against is None else load_published(against)
    asked = [] if axes is None else [parse_axes(axes)]
    ledger = ledger_of(sweep, storage, Where(namespace, context))
    owned = None if what_if is None else reprice(ledger, what_if)
    found, paths = write(ledger, published, owned, asked)
    if as_json:
        from orchestrator.report import report_json

        print_json(report_json(found))
    else:
        show_copied(ledger, console())
        show_report(found, paths, console())
        for wanted in asked:
            show_frontiers(found, wanted, console())


@app.command()
def score(
    source: Annotated[
        str,
        typer.Argument(
            metavar="POINTS", help="A CSV of points, or a sweep that has run, by name or directory."
        ),
    ],
    preset: Annotated[
        str, typer.Option(metavar="PRESET", help="A formula: holistic, flops-v0 or size-v1.")
    ] = "holistic",
    task: Annotated[str | None, typer.Option(help="Of a sweep with several tasks: which one.")] = None,
    storage: Storage = _STORAGE,
    namespace: cluster_sweeps.SoughtIn = None,
    context: cluster_sweeps.Context = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print [{name, raw, rescaled}] at full precision.")
    ] = False,
) -> None:
    """The paper's composite efficiency scores, the set they are taken over, and what their order hangs on."""
    from orchestrator.cli.results.score import score_of, scores_json, show_scores, tell_set

    scores, notes = score_of(source, preset, storage, task, Where(namespace, context))
    if as_json:
        tell_set(scores, notes, console(as_json=True))
        print_json(scores_json(scores))
    else:
        show_scores(scores, notes, console())


@app.command()
def sync(
    sweep: Sweep,
    storage: Storage = _STORAGE,
    namespace: cluster_sweeps.SoughtIn = None,
    context: cluster_sweeps.Context = None,
) -> None:
    """Make MLflow say what the records say. Twice changes nothing. Where the records are in a cluster, it
    runs there."""
    from orchestrator.cli.cluster.ui import cluster_of
    from orchestrator.cli.results.report import summary_note, write
    from orchestrator.tracking.mlflow_store import sync as publish_all

    where = Where(namespace, context)
    elsewhere = cluster_of(sweep, storage, where)
    if elsewhere is not None:
        from orchestrator.cli.cluster.submit import open_sweeps
        from orchestrator.cli.cluster.sync import sync_in_cluster

        sweeps = open_sweeps(elsewhere.namespace, elsewhere.context, console())
        elsewhere.refuse_other(sweeps.cluster.host)
        sync_in_cluster(sweeps, sweeps.named(elsewhere.sweep))
        return
    ledger = ledger_of(sweep, storage, where)
    uri = tracking_uri(ledger.directory.parent, os.environ)
    with ledger.lock():
        done = publish_all(ledger, uri, summary_note(write(ledger)[0]))
    there = without_secrets(uri)
    console().print(
        f"{done.published} runs written, {done.unchanged} were up to date: {there}", highlight=False
    )


@app.command()
def ui(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[ray|mlflow|SWEEP]",
            help="In the cluster: `ray`, the dashboard of a sweep, or `mlflow`. Else the MLflow that has the "
            "runs of this sweep: of this machine, or of its cluster.",
        ),
    ] = None,
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="For `ray`, where several sweeps run.")
    ] = None,
    storage: Storage = _STORAGE,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port on 127.0.0.1: 5000, or a free one for the cluster's."),
    ] = None,
    namespace: cluster_sweeps.SoughtIn = None,
    context: cluster_sweeps.Context = None,
    show_token: Annotated[
        bool, typer.Option("--show-token", help="Print the token or password that the page asks for.")
    ] = False,
) -> None:
    """Open the MLflow UI or the Ray dashboard, on this machine only. Ctrl-C ends it."""
    from orchestrator.cli.cluster import ui
    from orchestrator.cli.results.report import serve_mlflow

    if sweep is not None and target != "ray":
        raise typer.BadParameter("a second word goes with `ray` alone")
    if target == "ray":
        ui.open_ray(sweep, namespace, context, port or 0, show_token, console())
    elif target == "mlflow":
        ui.open_mlflow(namespace, context, port or 0, show_token, console())
    else:
        uri = tracking_uri(storage_here(storage), os.environ)
        there = (
            None
            if target is None or VARIABLE in os.environ
            else ui.cluster_of(target, storage, Where(namespace, context))
        )
        if there is not None:
            ui.open_mlflow(there.namespace, there.context, port or 0, show_token, console(), there)
            return
        serve_mlflow(uri, target, port or 5000, console())


@app.command()
def schema() -> None:
    """The JSON schema of a sweep file, for editors."""
    from orchestrator.config import sweep_schema

    print_json(sweep_schema())
