"""Students beside their teachers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.report.results.point import Point
from orchestrator.report.statistics.summary import Summary


class StudentTeacherPair(Record):
    """A student beside its teacher, under one method and comparison key. Ratios are student over teacher."""

    method: str
    student: str  # model/domain
    teacher: str
    comparison: str | None
    student_quality: Summary
    teacher_quality: Summary
    difference: float  # student less teacher
    cost_ratio: float | None
    parameter_ratio: float | None


def student_teacher_pairs(points: Sequence[Point], sweep: SweepRecord) -> tuple[StudentTeacherPair, ...]:
    """Pair each student with its teacher under each method that both have, where the teacher is in the sweep
    as well."""
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
    """Return the names that a lineage may use: that of the catalogue, and the repository of the hub."""
    weights = backbone.weights
    return [backbone.name, weights.hub] if isinstance(weights, HubWeights) else [backbone.name]


def _pair(student: Point, teacher: Point) -> StudentTeacherPair:
    assert student.quality is not None
    assert teacher.quality is not None
    costs = [None if p.device_hours is None else p.device_hours.mean for p in (student, teacher)]
    sizes = [None if p.total_parameters is None else float(p.total_parameters) for p in (student, teacher)]
    return StudentTeacherPair(
        method=student.cell.method,
        student=student.cell.backbone_key,
        teacher=teacher.cell.backbone_key,
        comparison=student.comparison,
        student_quality=student.quality,
        teacher_quality=teacher.quality,
        difference=student.quality.mean - teacher.quality.mean,
        cost_ratio=_ratio(*costs),
        parameter_ratio=_ratio(*sizes),
    )


def _ratio(student: float | None, teacher: float | None) -> float | None:
    return None if student is None or not teacher else student / teacher
