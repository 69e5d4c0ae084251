"""Students beside their teachers, and the domain of a backbone against that of a task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.report.analysis.uncertainty import ReplicatesByKey
from orchestrator.report.statistics.moderation import prior_of
from orchestrator.report.statistics.paired import MeanEstimate, mean_difference
from orchestrator.report.statistics.replicates import Replicates
from orchestrator.report.task_report import TaskReport


class DomainColumn(Record):
    """One task against the domains of the backbones: means over the same models and methods in each."""

    task: str
    title: str
    domain: str
    invented: bool
    combinations: int  # of model and method, scored under every domain
    quality: dict[str, float]  # by the backbones' domain; empty without such combinations
    # The matched domain less the mean of the others, on the seeds that all of them have where they share two;
    # and its 95 % interval over seeds and, where recorded, documents.
    match_gain: float | None
    match_interval: tuple[float, float] | None = None


class DomainMatrix(Record):
    domains: tuple[str, ...]  # of the backbones
    columns: tuple[DomainColumn, ...]  # by the tasks' domain


def domains_of(
    tasks: Sequence[TaskReport], sweep: SweepRecord, replicates: Mapping[str, ReplicatesByKey]
) -> DomainMatrix | None:
    """Return None unless backbones and tasks each have two domains or more. `replicates` are those of each
    task."""
    domains = sorted({b.domain for b in sweep.backbones.values()})
    of_task = {t.task: sweep.tasks[t.task].domain for t in tasks}
    if len(domains) < 2 or len(set(of_task.values())) < 2:
        return None
    columns = [_column(task, of_task[task.task], domains, replicates.get(task.task, {})) for task in tasks]
    return DomainMatrix(
        domains=tuple(domains), columns=tuple(sorted(columns, key=lambda c: (c.domain, c.task)))
    )


def _column(
    task: TaskReport, domain: str, domains: Sequence[str], replicates: ReplicatesByKey
) -> DomainColumn:
    """Average over models and methods that have a score under each domain: others would mix sizes."""
    by_place: dict[tuple[str, str, str], dict[str, float]] = {}
    for point in task.points:
        if point.quality is not None:
            place = (point.cell.model, point.cell.method, point.comparison or "")
            by_place.setdefault(place, {})[point.cell.domain] = point.quality.mean
    complete = {place: scores for place, scores in by_place.items() if len(scores) == len(domains)}
    means = (
        {d: math.fsum(s[d] for s in complete.values()) / len(complete) for d in domains} if complete else {}
    )
    others = [mean for d, mean in means.items() if d != domain]
    gain = means[domain] - math.fsum(others) / len(others) if domain in means and others else None
    judged = _judged(list(complete), domain, domains, replicates) if domain in means and others else None
    return DomainColumn(
        task=task.task,
        title=task.title,
        domain=domain,
        invented=task.invented,
        combinations=len(complete),
        quality=means,
        match_gain=gain if judged is None else judged.mean,
        match_interval=None if judged is None else _within_bounds(judged.interval, task.metric),
    )


def _judged(
    complete: Sequence[tuple[str, str, str]], domain: str, domains: Sequence[str], replicates: ReplicatesByKey
) -> MeanEstimate | None:
    """Estimate the matched domain less the mean of the others. None unless all cells share two seeds."""
    pairs, rivals = list[tuple[Replicates, Replicates]](), [d for d in domains if d != domain]
    for model, method, label in complete:
        by_name = replicates.get(label, {})
        cells = [by_name[name] for d in (domain, *rivals) if (name := f"{model}/{d}/{method}") in by_name]
        if len(cells) < len(domains):
            return None
        pairs += [(cells[0], rival) for rival in cells[1:]]
    group = {id(cell): cell for pair in pairs for cell in pair}
    gain = mean_difference(
        pairs, prior_of(list(group.values())), weight=(1 + 1 / len(rivals)) / len(complete)
    )
    return gain if gain.seeds > 1 else None


def _within_bounds(interval: tuple[float, float] | None, metric: MetricName) -> tuple[float, float] | None:
    """Limit the interval to -1 and 1: shares differ by 1 at most."""
    if interval is None or not METRICS[metric].higher_is_better:
        return interval
    return max(interval[0], -1.0), min(interval[1], 1.0)
