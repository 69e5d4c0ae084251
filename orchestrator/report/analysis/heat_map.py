"""Quality by domain and method, as a heat map that is a table: it prints, and a screen reader can walk it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from orchestrator.contracts.record import Record
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.statistics.summary import Summary
from orchestrator.report.task_report import TaskReport


class Shade(Record):
    """`share`: from the worst (0) to the best (1) of the map. `quality` is that of a cell, `mean` of a row
    that sums models up; `frontier`: the cell is on it."""

    share: float
    mean: float
    quality: Summary | None = None
    frontier: bool = False


class HeatRow(Record):
    """A backbone, or (`models` is set) the mean over that many models of a domain."""

    name: str
    models: int | None
    shades: tuple[Shade | None, ...]  # by method; None: no score


class Heat(Record):
    """One task under one comparison key. Each domain begins with its means, where they can be taken."""

    comparison: str
    methods: tuple[str, ...]
    domains: dict[str, tuple[HeatRow, ...]]


def heat(task: TaskReport, comparison: Comparison) -> Heat | None:
    """Return None for a single row or column: the table of results says as much."""
    scored = [p for p in task.points if p.quality is not None and p.comparison == comparison.label]
    methods = sorted({p.cell.method for p in scored})
    backbones = sorted({(p.cell.domain, p.cell.model) for p in scored})
    if len(methods) < 2 or len(backbones) < 2:
        return None
    at = {(p.cell.domain, p.cell.model, p.cell.method): p for p in scored}
    scale = _Scale(scored)
    domains: dict[str, tuple[HeatRow, ...]] = {}
    for domain in sorted({d for d, _ in backbones}):
        models = [m for d, m in backbones if d == domain]
        rows = [
            HeatRow(
                name=model,
                models=None,
                shades=tuple(scale.of(at.get((domain, model, method))) for method in methods),
            )
            for model in models
        ]
        means = [_mean([at.get((domain, model, m)) for model in _shared(backbones)]) for m in methods]
        if len(_shared(backbones)) > 1 and any(mean is not None for mean in means):
            over = len(_shared(backbones))
            rows.insert(0, HeatRow(name="mean", models=over, shades=tuple(map(scale.shade, means))))
        domains[domain] = tuple(rows)
    return Heat(comparison=comparison.label, methods=tuple(methods), domains=domains)


def _shared(backbones: Sequence[tuple[str, str]]) -> list[str]:
    """Return the models that were tried in every domain: a mean over others would compare models, not
    domains."""
    domains = {domain for domain, _ in backbones}
    models = sorted({model for _, model in backbones})
    return [m for m in models if all((domain, m) in backbones for domain in domains)]


def _mean(points: Sequence[Point | None]) -> float | None:
    """Average the scores, None where one point has none."""
    means = [p.quality.mean for p in points if p is not None and p.quality is not None]
    return math.fsum(means) / len(means) if means and len(means) == len(points) else None


class _Scale:
    def __init__(self, points: Sequence[Point]) -> None:
        means = [p.quality.mean for p in points if p.quality is not None]
        self._low, self._reach = min(means), (max(means) - min(means)) or 1.0

    def of(self, point: Point | None) -> Shade | None:
        if point is None or point.quality is None:
            return None
        return Shade(
            share=self._share(point.quality.mean),
            mean=point.quality.mean,
            quality=point.quality,
            frontier=point.frontier,
        )

    def shade(self, mean: float | None) -> Shade | None:
        return None if mean is None else Shade(share=self._share(mean), mean=mean)

    def _share(self, mean: float) -> float:
        return round((mean - self._low) / self._reach, 2)
