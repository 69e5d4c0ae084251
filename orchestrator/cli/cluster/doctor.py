"""`frontier doctor`: the manifests, then the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from orchestrator.cli.cluster.submit import open_sweeps
from orchestrator.cli.cluster_options import NAMESPACE
from orchestrator.cli.terminal import styled
from orchestrator.cluster.checks import check_manifests
from orchestrator.cluster.cluster_check import CheckStatus, ClusterCheck, bad, good
from orchestrator.cluster.doctor import diagnose
from orchestrator.cluster.documents import Document, load_documents, of_kind
from orchestrator.errors import Problem
from orchestrator.units import quantity

_MARKS = {
    CheckStatus.GOOD: styled("ok    ", "green"),
    CheckStatus.BAD: styled("bad   ", "red"),
    CheckStatus.UNSURE: styled("unsure", "yellow"),
}


def check_cluster(
    sources: Sequence[str], namespace: str | None, context: str | None, console: Console
) -> int:
    """Print a line for each check, with its fix. Return how many are bad."""
    documents = [document for source in sources for document in load_documents(source)]
    sweeps = open_sweeps(namespace or namespace_of(documents), context, console)
    checks = list(_by_cause(check_manifests(documents)))
    checks = checks or [good(f"{', '.join(sources)}: {quantity(len(documents), 'object')}, valid")]
    for check in checks:
        _show(check, console)
    for check in diagnose(sweeps.cluster, documents):
        _show(check, console)
        checks.append(check)
    return sum(check.status is CheckStatus.BAD for check in checks)


def _by_cause(problems: Sequence[Problem]) -> Iterator[ClusterCheck]:
    """Yield each cause once, with the number of further objects that have it."""
    by_cause: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        by_cause.setdefault((problem.problem, problem.fix), []).append(problem)
    for first, *others in by_cause.values():
        message, fix = str(first).split("\n    -> ", 1)
        more = f" (and at {quantity(len(others), 'more place')})" if others else ""
        yield bad(message + more, fix)


def namespace_of(documents: Sequence[Document]) -> str:
    """Return the namespace of the overlay's RayJob, else that of k8s/base."""
    return next((job.namespace for job in of_kind(documents, "RayJob") if job.namespace), NAMESPACE)


def _show(check: ClusterCheck, console: Console) -> None:
    console.print(_MARKS[check.status], end=" ")
    console.print(check.message, highlight=False, soft_wrap=True)
    if check.fix:
        console.print(f"       -> {check.fix}", highlight=False, soft_wrap=True)
