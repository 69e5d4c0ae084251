"""`frontier doctor`: the manifests, then the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from orchestrator.cli.cluster.submit import open_sweeps
from orchestrator.cli.reaching import NAMESPACE
from orchestrator.cli.terminal import styled
from orchestrator.cluster.checks import check_manifests
from orchestrator.cluster.doctor import Finding, Verdict, bad, diagnose, good
from orchestrator.cluster.documents import Document, load, of_kind
from orchestrator.errors import Problem
from orchestrator.units import quantity

_MARKS = {
    Verdict.GOOD: styled("ok    ", "green"),
    Verdict.BAD: styled("bad   ", "red"),
    Verdict.UNSURE: styled("unsure", "yellow"),
}


def check_cluster(
    sources: Sequence[str], namespace: str | None, context: str | None, console: Console
) -> int:
    """A line for each finding, with its remedy. Gives how many are bad."""
    documents = [document for source in sources for document in load(source)]
    sweeps = open_sweeps(namespace or namespace_of(documents), context, console)
    mistakes = check_manifests(documents)
    findings = list(_once(mistakes))
    findings = findings or [good(f"{', '.join(sources)}: {quantity(len(documents), 'object')}, sound")]
    for finding in findings:
        _tell(finding, console)
    for finding in diagnose(sweeps.cluster, documents):
        _tell(finding, console)
        findings.append(finding)
    return sum(finding.verdict is Verdict.BAD for finding in findings)


def _once(mistakes: Sequence[Problem]) -> Iterator[Finding]:
    """Each cause once, with the places after the first counted."""
    places: dict[tuple[str, str], list[Problem]] = {}
    for problem in mistakes:
        places.setdefault((problem.problem, problem.fix), []).append(problem)
    for first, *others in places.values():
        words, fix = str(first).split("\n    -> ", 1)
        yield bad(words + (f" (and at {quantity(len(others), 'more place')})" if others else ""), fix)


def namespace_of(documents: Sequence[Document]) -> str:
    """Return that of the overlay's RayJob, else the one of k8s/base."""
    return next((job.namespace for job in of_kind(documents, "RayJob") if job.namespace), NAMESPACE)


def _tell(finding: Finding, console: Console) -> None:
    console.print(_MARKS[finding.verdict], end=" ")
    console.print(finding.words, highlight=False, soft_wrap=True)
    if finding.fix:
        console.print(f"       -> {finding.fix}", highlight=False, soft_wrap=True)
