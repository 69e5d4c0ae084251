"""What a plot shows, in words, for those who do not see it. The figures are in the table beside it."""

from __future__ import annotations

from orchestrator import units
from orchestrator.report import text
from orchestrator.report.analysis.sensitivity import SettingEffect, SettingSeries
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.results.points import cost_and_quality
from orchestrator.report.task_report import TaskReport

_TABLE = "The table below holds the figures."


def frontier_alternative(task: TaskReport, comparison: Comparison) -> str:
    points = [p for p in task.points if p.comparison == comparison.label and p.quality is not None]
    frontier = sorted((p for p in points if p.frontier), key=lambda p: cost_and_quality(p)[0] or 0.0)
    text = f"Quality of {task.title} against {comparison.unit} a trial: {len(points)} results"
    if not frontier:
        return f"{text}, none on the frontier. {_TABLE}"
    cheapest, dearest = _named(frontier[0], comparison), _named(frontier[-1], comparison)
    if len(frontier) == 1:
        return f"{text}; the frontier is one point, {cheapest}. {_TABLE}"
    return f"{text}. The frontier has {len(frontier)} points, from {cheapest} to {dearest}. {_TABLE}"


def _named(point: Point, comparison: Comparison) -> str:
    cost = units.hours(cost_and_quality(point)[0])
    return f"{point.name} with {text.mean_text(point.quality)} at {cost} {comparison.unit}"


def curves_alternative(task: TaskReport, comparison: Comparison) -> str:
    curves = [c for c in task.curves if c.comparison == comparison.label]
    best = max(curves, key=lambda curve: curve.best.quality.mean)
    return (
        f"Quality of {task.title} on dev over the steps of training, {len(curves)} cells. The highest is "
        f"{best.cell}, with {text.mean_text(best.best.quality)} at step {best.best.step:,.0f}. {_TABLE}"
    )


def axis_alternative(task: TaskReport, axis: SettingEffect) -> str:
    rising = sum(_rises(series) for series in axis.series)
    return (
        f"Quality of {task.title} against {axis.title}: {len(axis.series)} series, of which {rising} end "
        f"higher than they begin. {_TABLE}"
    )


def _rises(series: SettingSeries) -> bool:
    return series.values[-1].quality.mean > series.values[0].quality.mean
