"""The strict checks of a cluster: on request, and before a submission."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from orchestrator.cli.cluster.doctor import namespace_of
from orchestrator.cli.cluster.submit import open_sweeps
from orchestrator.cli.strict.gate import refuse_problems, sensitive_tasks
from orchestrator.cli.strict.telling import tell
from orchestrator.cluster.documents import Document, load_documents
from orchestrator.cluster.strict import check_live
from orchestrator.cluster.sweeps import Sweeps
from orchestrator.config import load_sweep


def check_live_cluster(
    sources: Sequence[str], namespace: str | None, context: str | None, console: Console
) -> int:
    """Check overlays and the cluster that the kubeconfig names. Return the number of problems."""
    documents = [document for source in sources for document in load_documents(source)]
    sweeps = open_sweeps(namespace or namespace_of(documents), context, console)
    return tell(check_live(sweeps.cluster, documents, sweeps.say), console)


def refuse_risks_of_cluster(
    config: Path,
    overrides: Sequence[str],
    overlay: Sequence[Document],
    smoke: bool,
    sweeps: Sweeps,
    console: Console,
) -> None:
    """Check the cluster before a sweep over sensitive data is submitted; its head checks itself as well.

    Raises ConfigError as `refuse_risks` does.
    """
    sweep = load_sweep(config, overrides, cwd=Path.cwd(), smoke=smoke)
    if sensitive_tasks(sweep):
        checks = check_live(sweeps.cluster, overlay, sweeps.say)
        refuse_problems(sweep, checks, console, "this cluster")
