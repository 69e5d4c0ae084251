"""The verbs for Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.terminal import Terminal


def render(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A sweep file.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[AXIS=VALUE]...", help="Keys of the file to set.")
    ] = None,
    overlay: Annotated[
        str, typer.Option(help="One of k8s/overlays, a kustomization's directory, or a rendered file.")
    ] = "local-cpu",
    out: Annotated[Path | None, typer.Option(help="Write a file into this directory.")] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="The same grid on tiny models and a few rows.")
    ] = False,
) -> None:
    """The YAML that runs a sweep on Kubernetes, checked. For GitOps, or for `kubectl apply --server-side`."""
    from orchestrator.cli.cluster.render import rendered, write
    from orchestrator.cluster.documents import load

    console = Terminal(stderr=True)
    found = rendered(config, overrides or [], load(overlay), smoke, console)
    if out is None:
        print(found.text, end="")
    else:
        console.print(f"written: {write(found, out)}", highlight=False, soft_wrap=True)


def doctor(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[OVERLAY|PATH]...", help="None: local-cpu; with --manifests every overlay."),
    ] = None,
    manifests: Annotated[
        bool, typer.Option("--manifests", help="Check Kubernetes manifests only; needs no cluster.")
    ] = False,
    namespace: Annotated[
        str | None, typer.Option(envvar="FRONTIER_NAMESPACE", help="Another than the overlay's.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="A context of the kubeconfig.")] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Is patient text safe? Of this machine, or of the cluster of OVERLAY."),
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="With --strict: a sweep file, whose data and storage are checked.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(envvar="RAY_ADDRESS", help="With --strict: a Ray cluster to be joined.")
    ] = None,
    gpu: Annotated[
        bool,
        typer.Option("--gpu", help="Check the GPU of this machine, in about a minute; needs no cluster."),
    ] = False,
) -> None:
    """Look for mistakes before they cost device time: in the manifests, then in the cluster that the
    kubeconfig names. Tells all of them; exit code 2 where there are any. With --gpu, check this machine's
    GPU instead: exit code 1 where a check does not pass, 3 without a GPU. With --strict, tell in a line per
    check whether patient text is safe here."""
    if gpu:
        from orchestrator.cli.gpu_checks import check_gpu

        raise typer.Exit(check_gpu())
    from orchestrator.cli.cluster.render import check_sources

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

    if check_cluster(sources or ["local-cpu"], namespace, context, console):
        raise typer.Exit(2)
