"""Students beside their teachers, and the domain of a backbone against that of a task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.report.certainty import Found
from orchestrator.report.comparing import Estimate, mean_difference
from orchestrator.report.findings import DomainColumn, DomainMatrix, Pair
from orchestrator.report.model import Point, TaskReport
from orchestrator.report.moderation import prior_of
from orchestrator.report.replicates import Replicates


def pairs_of(points: Sequence[Point], sweep: SweepRecord) -> tuple[Pair, ...]:
    """For each backbone whose teacher is in the sweep as well: the two under each method that both have."""
    scored = {(p.cell.model, p.cell.domain, p.cell.method, p.comparison): p for p in points if p.quality}
    lines = [_pair(s, t) for s, t in _taught(scored, sweep)]
    return tuple(sorted(lines, key=lambda pair: (pair.student, pair.method, pair.comparison or "")))


def _taught(
    scored: dict[tuple[str, str, str, str | None], Point], sweep: SweepRecord
) -> Iterator[tuple[Point, Point]]:
    by_name = {name: b for b in sweep.backbones.values() for name in _names(b)}
    for (model, domain, method, comparison), student in scored.items():
        backbone = sweep.backbones.get(f"{model}/{domain}")
        teacher = by_name.get(backbone.lineage.teacher or "") if backbone else None
        if teacher is None:
            continue
        other = scored.get((teacher.model, teacher.domain, method, comparison))
        if other is not None and other is not student:
            yield student, other


def _names(backbone: BackboneSpec) -> list[str]:
    """A lineage names a backbone of the catalogue, or a repository of the hub."""
    weights = backbone.weights
    return [backbone.name, weights.hub] if isinstance(weights, HubWeights) else [backbone.name]


def _pair(student: Point, teacher: Point) -> Pair:
    assert student.quality is not None
    assert teacher.quality is not None
    costs = [None if p.device_hours is None else p.device_hours.mean for p in (student, teacher)]
    sizes = [None if p.total_parameters is None else float(p.total_parameters) for p in (student, teacher)]
    return Pair(
        method=student.cell.method,
        student=f"{student.cell.model}/{student.cell.domain}",
        teacher=f"{teacher.cell.model}/{teacher.cell.domain}",
        comparison=student.comparison,
        student_quality=student.quality,
        teacher_quality=teacher.quality,
        difference=student.quality.mean - teacher.quality.mean,
        cost_ratio=_ratio(*costs),
        parameter_ratio=_ratio(*sizes),
    )


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def domains_of(
    tasks: Sequence[TaskReport], sweep: SweepRecord, found: Mapping[str, Found]
) -> DomainMatrix | None:
    """None unless backbones and tasks each have two domains or more. `found`: the replicates of each task."""
    domains = sorted({b.domain for b in sweep.backbones.values()})
    of_task = {t.task: sweep.tasks[t.task].domain for t in tasks}
    if len(domains) < 2 or len(set(of_task.values())) < 2:
        return None
    columns = [_column(task, of_task[task.task], domains, found.get(task.task, {})) for task in tasks]
    return DomainMatrix(
        domains=tuple(domains), columns=tuple(sorted(columns, key=lambda c: (c.domain, c.task)))
    )


def _column(task: TaskReport, domain: str, domains: Sequence[str], found: Found) -> DomainColumn:
    """Only models and methods that have a score under each domain count: else the sizes would be mixed."""
    by_place: dict[tuple[str, str, str], dict[str, float]] = {}
    for point in task.points:
        if point.quality is not None:
            place = (point.cell.model, point.cell.method, point.comparison or "")
            by_place.setdefault(place, {})[point.cell.domain] = point.quality.mean
    whole = {place: scores for place, scores in by_place.items() if len(scores) == len(domains)}
    means = {d: math.fsum(s[d] for s in whole.values()) / len(whole) for d in domains} if whole else {}
    others = [mean for d, mean in means.items() if d != domain]
    gain = means[domain] - math.fsum(others) / len(others) if domain in means and others else None
    judged = _judged(list(whole), domain, domains, found) if domain in means and others else None
    return DomainColumn(
        task=task.task,
        title=task.title,
        domain=domain,
        invented=task.invented,
        combinations=len(whole),
        quality=means,
        match_gain=gain if judged is None else judged.mean,
        match_interval=None if judged is None else _within_bounds(judged.interval, task.metric),
    )


def _judged(
    whole: Sequence[tuple[str, str, str]], domain: str, domains: Sequence[str], found: Found
) -> Estimate | None:
    """Of the matched domain less the mean of the others. None unless all cells share two seeds."""
    pairs, rivals = list[tuple[Replicates, Replicates]](), [d for d in domains if d != domain]
    for model, method, label in whole:
        here = found.get(label, {})
        cells = [here[name] for d in (domain, *rivals) if (name := f"{model}/{d}/{method}") in here]
        if len(cells) < len(domains):
            return None
        pairs += [(cells[0], other) for other in cells[1:]]
    group = {id(cell): cell for pair in pairs for cell in pair}
    made = mean_difference(pairs, prior_of(list(group.values())), weight=(1 + 1 / len(rivals)) / len(whole))
    return made if made.seeds > 1 else None


def _within_bounds(interval: tuple[float, float] | None, metric: MetricName) -> tuple[float, float] | None:
    """Shares differ by 1 at most."""
    if interval is None or metric is MetricName.LOSS:
        return interval
    return max(interval[0], -1.0), min(interval[1], 1.0)
