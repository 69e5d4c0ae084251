"""The cells over all tasks: mean rank and normalised mean.

Only cells with a score in every task of the sweep stand here, and only where all scores were made under one
comparison key. The normalised mean takes each metric from what guessing gives to 1, which depends on no
other cell: a further backbone changes no mean and no frontier. A mean rank depends on the other cells.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from orchestrator.contracts.record import Record
from orchestrator.report.analysis.rank_ranges import MOST_RANKED, rank_ranges
from orchestrator.report.analysis.uncertainty import ReplicatesByKey
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.statistics.arrays import Floats
from orchestrator.report.statistics.bootstrap import Draws
from orchestrator.report.statistics.pareto import as_costs, pareto_mask
from orchestrator.report.task_report import TaskReport
from orchestrator.report.text import over

Ends = tuple[float, float]
Moved = Mapping[str, Draws]  # by label of the comparison key
Drawn = Mapping[str, tuple[Moved, ReplicatesByKey]]  # by task

_MEANS = (
    "Normalised mean: each task's metric from what guessing gives ({floors}) to 1, then the mean over the "
    "tasks. It does not depend on the other cells, so the frontier uses it: that of the means, for no "
    "difference over all tasks is tested."
)
_RANKS = (
    "Mean rank: the rank among these {cells} cells, 1 is best, averaged over the tasks; ties share a rank."
)
_INTERVALS = (
    "Intervals are 95 % {over}. Those of the mean hold for each cell alone, so for the first one, which its "
    "mean chose, less often. Those of the rank hold for all cells at once: a cell "
    "ranks below those that are shown to be better, and above those that are shown to be worse. One seed "
    "gives none, and a mean that counts failed seeds has none."
)
_TOO_MANY = f"There are more than {MOST_RANKED} cells, so ranks have no interval."
_TAILS = (2.5, 97.5)  # per cent


class AcrossRow(Record):
    """One cell over all tasks. `normalised_mean`: each metric from what guessing gives to 1. `mean_rank`: 1
    is best; it depends on the set of cells, so no frontier is made of it."""

    cell: str  # model/domain/method
    mean_rank: float
    rank_interval: tuple[float, float] | None  # 95 %, over seeds and test documents; None of one seed
    normalised_mean: float
    mean_interval: tuple[float, float] | None  # likewise; None where seeds failed
    device_hours: float | None  # summed over the tasks
    frontier: bool  # on normalised mean and device-hours


class AcrossTasks(Record):
    """The cells that have a score in every task, under one comparison key."""

    comparison: str | None
    tasks: tuple[str, ...]
    rows: tuple[AcrossRow, ...]  # best normalised mean first
    left_out: tuple[str, ...] = ()  # cells without a score in some task
    notes: tuple[str, ...] = Field(default=())


def across_tasks(tasks: Sequence[TaskReport], drawn: Drawn) -> tuple[AcrossTasks, ...]:
    """Return one view per comparison key, none for fewer than two tasks. `drawn` holds the draws and the
    replicates of each task."""
    usable = [t for t in tasks if not t.loss]
    if len(usable) < 2:
        return ()
    keys: dict[str, Comparison] = {}
    for task in usable:
        for comparison in task.comparisons:
            keys.setdefault(_key(comparison), comparison)
    losses = len(tasks) - len(usable)
    views = [_across(usable, losses, (key, keys[key].label), drawn) for key in sorted(keys)]
    return tuple(view for view in views if view is not None)


def _key(comparison: Comparison) -> str:
    """Return the key without its label, which depends on the other keys of a task."""
    return comparison.model_copy(update={"label": ""}).model_dump_json()


def _across(
    tasks: Sequence[TaskReport], losses: int, of: tuple[str, str], drawn: Drawn
) -> AcrossTasks | None:
    key, label = of
    by_task = [_points(task, key) for task in tasks]
    names = sorted(set().union(*by_task))
    complete = [name for name in names if all(name in points for points in by_task)]
    if not complete:
        return None
    quality = np.array([[[_quality(points[n]) for n in complete]] for points in by_task])  # [tasks, 1, cells]
    means, ranks = _normalised(quality, tasks)[0], _ranks(quality)[0]
    hours = [_hours([points[n] for points in by_task]) for n in complete]
    flags = pareto_mask(as_costs(list(zip(hours, means.tolist(), strict=True)))).tolist()
    ends = _intervals(tasks, by_task, complete, drawn)
    rows = [
        AcrossRow(
            cell=n,
            mean_rank=float(rank),
            rank_interval=ends[n][1] if n in ends else None,
            normalised_mean=float(mean),
            mean_interval=ends[n][0] if n in ends else None,
            device_hours=cost,
            frontier=flag,
        )
        for n, rank, mean, cost, flag in zip(complete, ranks, means, hours, flags, strict=True)
    ]
    floors = ", ".join(f"“{task.title}” {_floor(task):.3f}" for task in tasks)
    notes = [_MEANS.format(floors=floors), _RANKS.format(cells=len(complete))]
    notes.append(_INTERVALS.format(over=over([p for points in by_task for p in points.values()])))
    if len(complete) > MOST_RANKED:
        notes.append(_TOO_MANY)
    if losses:
        notes.append("Tasks measured by a loss or an error are excluded: they have no scale to normalise on.")
    left_out = tuple(name for name in names if name not in complete)
    return AcrossTasks(
        comparison=label,
        tasks=tuple(t.task for t in tasks),
        rows=tuple(sorted(rows, key=lambda row: (-row.normalised_mean, row.cell))),
        left_out=left_out,
        notes=tuple(notes),
    )


def _intervals(
    tasks: Sequence[TaskReport], by_task: Sequence[Mapping[str, Point]], complete: Sequence[str], drawn: Drawn
) -> dict[str, tuple[Ends | None, Ends | None]]:
    """Return the intervals of mean and rank by cell, for cells with two seeds in each task; of a mean with
    failed seeds, whose scores are in two heaps, none. Empty where a task has no draws."""
    labels = [points[complete[0]].comparison or "" for points in by_task]
    drawn_by_task = [drawn.get(task.task, ({}, {})) for task in tasks]
    moved = [
        draws[label].of(complete).quality
        for (draws, _), label in zip(drawn_by_task, labels, strict=True)
        if label in draws
    ]
    if len(moved) < len(tasks):
        return {}
    means = np.percentile(_normalised(np.stack(moved), tasks), _TAILS, axis=0).T.tolist()
    ranked = [
        rank_ranges([replicates[label][name] for name in complete], len(tasks))
        for (_, replicates), label in zip(drawn_by_task, labels, strict=True)
    ]
    several = (all(_seeds(points[name]) > 1 for points in by_task) for name in complete)
    failed = {name for name in complete if any(_failed(points[name]) for points in by_task)}
    return {
        name: (
            None if name in failed else (mean[0], mean[1]),
            _mean_of([ranges[rank] for ranges in ranked if ranges is not None]),
        )
        for rank, (name, mean, sure) in enumerate(zip(complete, means, several, strict=True))
        if sure
    }


def _mean_of(ends: Sequence[tuple[int, int]]) -> Ends | None:
    """Average the rank ranges of the tasks."""
    if not ends:
        return None
    low, high = (math.fsum(side) / len(ends) for side in zip(*ends, strict=True))
    return low, high


def _normalised(quality: Floats, tasks: Sequence[TaskReport]) -> Floats:
    """Average the normalised metrics over the tasks: [tasks, draws, cells] -> [draws, cells]."""
    floors = np.array([_floor(task) for task in tasks])[:, None, None]
    means: Floats = ((quality - floors) / (1 - floors)).mean(axis=0)
    return means


def _floor(task: TaskReport) -> float:
    """Return the score of guessing, limited to values below 1 so that a range is left to normalise."""
    return min(task.guessing.get(task.metric, 0.0), 0.999)


def _ranks(quality: Floats) -> Floats:
    """Average the ranks over the tasks: [tasks, draws, cells] -> [draws, cells]."""
    from scipy.stats import rankdata  # takes a second to import

    ranks: Floats = np.mean([rankdata(-each, axis=1) for each in quality], axis=0)
    return ranks


def _points(task: TaskReport, key: str) -> dict[str, Point]:
    labels = {c.label for c in task.comparisons if _key(c) == key}
    return {p.name: p for p in task.points if p.comparison in labels and p.quality is not None}


def _quality(point: Point) -> float:
    assert point.quality is not None
    return point.quality.mean


def _seeds(point: Point) -> int:
    return point.quality.n if point.quality is not None else 0


def _failed(point: Point) -> int:
    return point.quality.failed if point.quality is not None else 0


def _hours(points: Sequence[Point]) -> float | None:
    hours = [p.device_hours.mean for p in points if p.device_hours is not None]
    return math.fsum(hours) if len(hours) == len(points) else None
