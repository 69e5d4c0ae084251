"""`frontier render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import OVERLAY, Config, Overlay, Overrides, Smoke


def render(
    config: Config,
    overrides: Overrides = None,
    overlay: Overlay = OVERLAY,
    out: Annotated[Path | None, typer.Option(help="Write a file into this directory.")] = None,
    smoke: Smoke = False,
) -> None:
    """Print the checked YAML that runs a sweep on Kubernetes.

    It is for GitOps, or for `kubectl apply --server-side`.

    Example: frontier render demo --overlay gke --out build/k8s
    """
    from orchestrator.cli.cluster.render import rendered, write_manifests
    from orchestrator.cli.terminal import Terminal
    from orchestrator.cluster.documents import load_documents

    console = Terminal(stderr=True)
    manifests = rendered(config, overrides or [], load_documents(overlay), smoke, console)
    if out is None:
        print(manifests.text, end="")
    else:
        console.print(f"written: {write_manifests(manifests, out)}", highlight=False, soft_wrap=True)
