"""From a sweep file and an overlay to checked manifests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from orchestrator.cli.cluster.forecast import cluster_forecast
from orchestrator.cli.opening import open_aloud
from orchestrator.cli.plan.budget import show_budget
from orchestrator.cli.plan.view import show_plan
from orchestrator.cli.session import Session
from orchestrator.cluster.capacity import WorkerGroup, groups, node_kinds
from orchestrator.cluster.checks import check_manifests
from orchestrator.cluster.checks.schema import built_in_kinds_are_known
from orchestrator.cluster.documents import Document, get, load_documents, mapping, of_kind, overlays
from orchestrator.cluster.render import Rendered, render
from orchestrator.cluster.start_time import ASSUMED, StartTime
from orchestrator.config import load_sweep
from orchestrator.errors import ConfigError, Problem
from orchestrator.units import quantity


def rendered(
    config: Path,
    overrides: Sequence[str],
    template: Sequence[Document],
    smoke: bool,
    console: Console,
    start: StartTime = ASSUMED,
) -> Rendered:
    """What `frontier render` writes and a submission applies: the same bytes. Shows the plan and its price,
    with the wall clock of the cluster. `template`: the objects of an overlay. `start`: of its pods.

    Raises ConfigError with the mistakes of the sweep, else with those of the manifests.
    """
    growing = _groups(template)
    session = _in_cluster(open_aloud(config, overrides, console, smoke=smoke), growing)
    show_plan(session.plan, console)
    for line in cluster_forecast(session.plan, growing, start):
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    show_budget(session.plan, console)
    full = load_sweep(config, overrides, cwd=Path.cwd()) if smoke else session.sweep
    manifests = render(full, session.plan, template, smoke=smoke)
    refuse_manifests(check_manifests(instead_of_template(template, manifests)))
    return manifests


def _groups(template: Sequence[Document]) -> list[WorkerGroup]:
    clusters = [mapping(get(job.spec, "rayClusterSpec")) for job in of_kind(template, "RayJob")]
    return [group for cluster in clusters for group in groups(cluster)]


def _in_cluster(session: Session, growing: Sequence[WorkerGroup]) -> Session:
    """Planned for what the groups may grow to, and not for this machine."""
    config = session.sweep.config.model_copy(update={"capacity": node_kinds(growing)})
    return replace(session, sweep=replace(session.sweep, config=config))


def instead_of_template(template: Sequence[Document], manifests: Rendered) -> list[Document]:
    """The overlay's objects, with those of the sweep in the place of the template."""
    where = f"{template[0].where}, rendered"
    return [*(document for document in template if document.kind != "RayJob"), *manifests.documents(where)]


def write_manifests(manifests: Rendered, directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{manifests.sweep_id}.yaml"
    file.write_text(manifests.text, encoding="utf-8")
    return file


def check_sources(sources: Sequence[str], console: Console) -> None:
    """A line each; every overlay where none is named. Raises ConfigError with all mistakes of all of them."""
    problems: list[Problem] = []
    if not built_in_kinds_are_known():
        note = "kubernetes-validate is not installed: the fields of Kubernetes' own kinds are not checked"
        console.print(note, style="yellow", highlight=False)
    for source in sources or overlays():
        documents = load_documents(source)
        invalid = check_manifests(documents)
        problems += invalid
        verdict = quantity(len(invalid), "problem") if invalid else "valid"
        console.print(f"{source}: {quantity(len(documents), 'object')}, {verdict}", highlight=False)
    refuse_manifests(problems)


def refuse_manifests(problems: Sequence[Problem]) -> None:
    if problems:
        raise ConfigError(problems)
