"""`frontier submit`."""

from __future__ import annotations

import typer

from orchestrator.cli.options import (
    OVERLAY,
    Config,
    Context,
    Fetch,
    Follow,
    Overlay,
    OverlayNamespace,
    Overrides,
    PodStorage,
    Smoke,
)


def submit(
    config: Config,
    overrides: Overrides = None,
    overlay: Overlay = OVERLAY,
    smoke: Smoke = False,
    namespace: OverlayNamespace = None,
    context: Context = None,
    storage: PodStorage = None,
    stay: Follow = True,
    bring: Fetch = True,
) -> None:
    """Run a sweep on Kubernetes: plan, render, check, apply, follow.

    Rerun it to attach to the sweep, or to resume it.

    Example: frontier submit demo --overlay gke
    """
    from orchestrator.cli.cluster.doctor import namespace_of
    from orchestrator.cli.cluster.render import rendered
    from orchestrator.cli.cluster.submit import follow_to_end, most_pods, open_sweeps, put_into
    from orchestrator.cli.strict.clusters import refuse_risks_of_cluster
    from orchestrator.cli.terminal import Terminal
    from orchestrator.cluster.documents import load_documents
    from orchestrator.cluster.start_time import start_time

    console = Terminal()
    template = load_documents(overlay)
    sweeps = open_sweeps(namespace or namespace_of(template), context, console)
    start = start_time(sweeps.ray_jobs())  # the cluster answers before anything is hashed or priced
    manifests = rendered(config, overrides or [], template, smoke, console, start)
    put_into(manifests, sweeps.cluster.namespace)
    console.print(most_pods(manifests), highlight=False)
    name = sweeps.submit(
        manifests,
        permit=lambda: refuse_risks_of_cluster(config, overrides or [], template, smoke, sweeps, console),
    )
    if stay and (exit_code := follow_to_end(sweeps, name, storage, console, bring)):
        raise typer.Exit(exit_code)
