"""The verbs that talk to a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.reaching import NAMESPACE, VARIABLE
from orchestrator.cli.terminal import Terminal

Context = Annotated[str | None, typer.Option(help="A context of the kubeconfig; without it the current one.")]
Namespace = Annotated[str, typer.Option(envvar=VARIABLE, help="Where the sweeps run.")]
SoughtIn = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        help=f"Where the sweep runs, if not on this machine; else {VARIABLE}, or {NAMESPACE}.",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(metavar="PATH|URI", help="Where this machine sees the storage of the pods, if elsewhere."),
]
Sweep = Annotated[str, typer.Argument(metavar="SWEEP", help="The sweep's id, or its name.")]
Bring = Annotated[
    bool,
    typer.Option("--fetch/--no-fetch", help="Copy records and report to ./sweeps at the end, where needed."),
]
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Stay until it ends.")]


def submit(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A sweep file.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[AXIS=VALUE]...", help="Keys of the file to set.")
    ] = None,
    overlay: Annotated[
        str, typer.Option(help="One of k8s/overlays, a kustomization's directory, or a rendered file.")
    ] = "local-cpu",
    smoke: Annotated[
        bool, typer.Option("--smoke", help="The same grid on tiny models and a few rows.")
    ] = False,
    namespace: Annotated[
        str | None, typer.Option(envvar=VARIABLE, help="Another than the overlay's.")
    ] = None,
    context: Context = None,
    storage: Storage = None,
    stay: Follow = True,
    bring: Bring = True,
) -> None:
    """Run a sweep on Kubernetes: plan, render, check, apply, follow. Again: attaches, or goes on."""
    from orchestrator.cli.cluster.doctor import namespace_of
    from orchestrator.cli.cluster.render import rendered
    from orchestrator.cli.cluster.submit import follow_to_end, most_pods, open_sweeps, put_into
    from orchestrator.cli.strict.clusters import refuse_risks_of_cluster
    from orchestrator.cluster.documents import load
    from orchestrator.cluster.start_time import start_time

    console = Terminal()
    template = load(overlay)
    sweeps = open_sweeps(namespace or namespace_of(template), context, console)
    start = start_time(sweeps.ray_jobs())  # the cluster answers before anything is hashed or priced
    found = rendered(config, overrides or [], template, smoke, console, start)
    put_into(found, sweeps.cluster.namespace)
    console.print(most_pods(found), highlight=False)
    name = sweeps.submit(
        found,
        permit=lambda: refuse_risks_of_cluster(config, overrides or [], template, smoke, sweeps, console),
    )
    _then(stay and follow_to_end(sweeps, name, storage, console, bring))


def follow(
    sweep: Sweep,
    namespace: Namespace = NAMESPACE,
    context: Context = None,
    storage: Storage = None,
    bring: Bring = True,
) -> None:
    """What a sweep in a cluster does and waits for, until it ends. Ctrl-C leaves it running."""
    from orchestrator.cli.cluster.submit import follow_to_end, open_sweeps

    console = Terminal()
    sweeps = open_sweeps(namespace, context, console)
    _then(follow_to_end(sweeps, sweeps.named(sweep), storage, console, bring))


def fetch(
    sweep: Sweep,
    namespace: Namespace = NAMESPACE,
    context: Context = None,
    into: Annotated[Path, typer.Option(help="The directory that holds sweeps on this machine.")] = Path(
        "sweeps"
    ),
) -> None:
    """Copy the records and the report of a sweep in a cluster to this machine, then show the report. A second
    fetch replaces the copy. Checkpoints and weights stay in the cluster."""
    from orchestrator.cli.cluster.fetch import bring_home
    from orchestrator.cli.cluster.submit import open_sweeps
    from orchestrator.cli.results.report import show_report, write
    from orchestrator.tracking.ledger import Ledger

    console = Terminal()
    sweeps = open_sweeps(namespace, context, console)
    report, paths = write(Ledger(bring_home(sweeps, sweeps.named(sweep), into, console)))
    show_report(report, paths, console)


def stop(sweep: Sweep, namespace: Namespace = NAMESPACE, context: Context = None) -> None:
    """End a sweep in a cluster and remove its pods. Storage stays; `frontier resume` goes on from there."""
    from orchestrator.cli.cluster.submit import open_sweeps

    sweeps = open_sweeps(namespace, context, Terminal())
    sweeps.stop(sweeps.named(sweep))


def resume(
    sweep: Sweep,
    namespace: Namespace = NAMESPACE,
    context: Context = None,
    storage: Storage = None,
    stay: Follow = True,
    bring: Bring = True,
) -> None:
    """Go on with a sweep that was stopped, suspended or ended early, as it was submitted."""
    from orchestrator.cli.cluster.submit import follow_to_end, open_sweeps

    console = Terminal()
    sweeps = open_sweeps(namespace, context, console)
    name = sweeps.named(sweep)
    sweeps.resume(name)
    _then(stay and follow_to_end(sweeps, name, storage, console, bring))


def _then(exit_code: int) -> None:
    if exit_code:
        raise typer.Exit(exit_code)
