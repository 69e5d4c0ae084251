"""The cells over all tasks: mean rank and normalised mean.

Only cells with a score in every task of the sweep stand here, and only where all scores were made under one
comparison key. The normalised mean takes each metric from what guessing gives to 1, which hangs on no other
cell: so a further backbone moves nobody's mean, and no frontier. A mean rank hangs on who else is there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from orchestrator.contracts.metrics import MetricName
from orchestrator.report.evidence import AcrossRow, AcrossTasks
from orchestrator.report.frontier import on_frontier
from orchestrator.report.model import Comparison, Point, TaskReport

_GUESSING = {MetricName.MACRO_AUROC: 0.5}  # of all others 0
_MEANS = (
    "Normalised mean: each task's metric from what guessing gives (AUROC 0.5, all others 0) to 1, then the "
    "mean over the tasks. It does not hang on which other cells there are, so the frontier is made of it."
)
_RANKS = (
    "Mean rank: the place among these {cells} cells, 1 is best, in the mean over the tasks; ties share one."
)


def across_tasks(tasks: Sequence[TaskReport]) -> tuple[AcrossTasks, ...]:
    """One a comparison key; empty for fewer than two tasks."""
    usable = [t for t in tasks if t.metric is not MetricName.LOSS]
    if len(usable) < 2:
        return ()
    keys: dict[str, Comparison] = {}
    for task in usable:
        for comparison in task.comparisons:
            keys.setdefault(_key(comparison), comparison)
    found = [_across(usable, len(tasks) - len(usable), key, keys[key].label) for key in sorted(keys)]
    return tuple(view for view in found if view is not None)


def _key(comparison: Comparison) -> str:
    """Without its label, which hangs on the other keys of a task."""
    return comparison.model_copy(update={"label": ""}).model_dump_json()


def _across(tasks: Sequence[TaskReport], losses: int, key: str, label: str) -> AcrossTasks | None:
    by_task = [_points(task, key) for task in tasks]
    names = sorted(set().union(*by_task))
    whole = [name for name in names if all(name in points for points in by_task)]
    if not whole:
        return None
    ranks = np.mean([rankdata([-_quality(points[n]) for n in whole]) for points in by_task], axis=0)
    means = [_normalised([points[n] for points in by_task], tasks) for n in whole]
    hours = [_hours([points[n] for points in by_task]) for n in whole]
    flags = on_frontier(list(zip(hours, means, strict=True)))
    rows = [
        AcrossRow(cell=n, mean_rank=float(r), normalised_mean=m, device_hours=h, frontier=f)
        for n, r, m, h, f in zip(whole, ranks, means, hours, flags, strict=True)
    ]
    notes = [_MEANS, _RANKS.format(cells=len(whole))]
    if losses:
        notes.append("Tasks that are measured by their loss have no scale to be normalised on: left out.")
    left_out = tuple(name for name in names if name not in whole)
    return AcrossTasks(
        comparison=label,
        tasks=tuple(t.task for t in tasks),
        rows=tuple(sorted(rows, key=lambda row: (-row.normalised_mean, row.cell))),
        left_out=left_out,
        notes=tuple(notes),
    )


def _points(task: TaskReport, key: str) -> dict[str, Point]:
    labels = {c.label for c in task.comparisons if _key(c) == key}
    return {p.name: p for p in task.points if p.comparison in labels and p.quality is not None}


def _quality(point: Point) -> float:
    assert point.quality is not None
    return point.quality.mean


def _normalised(points: Sequence[Point], tasks: Sequence[TaskReport]) -> float:
    shares = []
    for point, task in zip(points, tasks, strict=True):
        floor = _GUESSING.get(task.metric, 0.0)
        shares.append((_quality(point) - floor) / (1 - floor))
    return math.fsum(shares) / len(shares)


def _hours(points: Sequence[Point]) -> float | None:
    hours = [p.device_hours.mean for p in points if p.device_hours is not None]
    return math.fsum(hours) if len(hours) == len(points) else None
