"""`frontier doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import OVERLAY, ConfigOption, Context, OverlayNamespace


def doctor(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OVERLAY|PATH]...", help="Default: local-cpu; every one with --manifests."),
    ] = None,
    manifests: Annotated[
        bool, typer.Option("--manifests", help="Check Kubernetes manifests only; needs no cluster.")
    ] = False,
    namespace: OverlayNamespace = None,
    context: Context = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Check that patient text is safe, on this machine or in the cluster of OVERLAY."
        ),
    ] = False,
    config: ConfigOption = None,
    address: Annotated[
        str | None, typer.Option(envvar="RAY_ADDRESS", help="With --strict: the Ray cluster to join.")
    ] = None,
    gpu: Annotated[
        bool,
        typer.Option("--gpu", help="Check the GPU of this machine, in about a minute; needs no cluster."),
    ] = False,
) -> None:
    """Find mistakes before they cost device time: in the manifests, then in the cluster of the kubeconfig.

    Prints every problem, and exits with 2 if there are any. With --gpu, it checks this machine's GPU instead,
    and exits with 1 if a check fails, with 3 without a GPU. With --strict, it prints one line per check on
    whether patient text is safe here.

    Example: frontier doctor --strict --config my-sweep.yaml
    """
    if gpu:
        from orchestrator.cli.gpu_checks import check_gpu

        raise typer.Exit(check_gpu())
    from orchestrator.cli.cluster.render import check_sources
    from orchestrator.cli.terminal import Terminal

    console = Terminal()
    if strict:
        if sources:
            from orchestrator.cli.strict.clusters import check_live_cluster

            problems = check_live_cluster(sources, namespace, context, console)
        else:
            from orchestrator.cli.strict.telling import check_here

            problems = check_here(config, address, console)
        if problems:
            raise typer.Exit(2)
        return
    if manifests:
        check_sources(sources or [], console)
        return
    from orchestrator.cli.cluster.doctor import check_cluster

    if check_cluster(sources or [OVERLAY], namespace, context, console):
        raise typer.Exit(2)
