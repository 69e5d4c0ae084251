"""The points of a report as rows: of the console's table, and of frontier.csv."""

from __future__ import annotations

import csv
import io
from typing import Any

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Signature
from orchestrator.report.record import Report
from orchestrator.report.render.report_json import mean_of, point_json, unit_of
from orchestrator.report.render.text import frontier_marker as frontier_mark
from orchestrator.report.results.failed_seeds import failure_note
from orchestrator.report.results.point import Point, PointState
from orchestrator.report.task_report import TaskReport


class FrontierRow(Record):
    """A row of the console's table. Figures are None where there is no result; `reason` then says why."""

    task: str
    cell: str  # model/domain/method
    frontier: bool
    mark: str  # ◆ on the frontier, ◇ open
    state: PointState
    quality: float | None
    interval: tuple[float, float] | None  # of quality, 95 %
    seeds: int
    device_hours: float | None
    device_unit: str | None
    comparison: str | None  # only where the task has more than one
    trainable_parameters: int | None
    invented: bool
    reason: str | None
    failures: str = ""  # how many of its seeds failed, in words


def frontier_rows(report: Report) -> list[FrontierRow]:
    """All points, task by task, those on the frontier first."""
    return [_row(task, point) for task in report.tasks for point in task.points]


def _row(task: TaskReport, point: Point) -> FrontierRow:
    return FrontierRow(
        task=task.task,
        cell=point.name,
        frontier=point.frontier,
        mark=frontier_mark(point),
        state=point.state,
        quality=mean_of(point.quality),
        interval=point.simultaneous.interval if point.simultaneous else None,
        seeds=point.seeds,
        device_hours=mean_of(point.device_hours),
        device_unit=unit_of(task, point),
        comparison=point.comparison if len(task.comparisons) > 1 else None,
        trainable_parameters=point.trainable_parameters,
        invented=task.invented,
        reason=point.reason,
        failures=failure_note(point.failed, point.trainings),
    )


def frontier_csv(report: Report) -> str:
    """One row per point. An empty field is a missing figure."""
    names = sorted({name for task in report.tasks for point in task.points for name in point.metrics})
    rows = [_csv_row(task, point, names) for task in report.tasks for point in task.points]
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def _csv_row(task: TaskReport, point: Point, names: list[MetricName]) -> dict[str, object]:
    figures: dict[str, Any] = point_json(task, point)
    low, high = figures.pop("quality_interval") or (None, None)
    metrics, signatures = figures.pop("metrics"), figures.pop("signatures")
    failed = figures.pop("failed")
    fewest, most = figures.pop("train_rows") or (None, None)
    smallest, largest = figures.pop("rows_of_a_class") or (None, None)
    held = figures.pop("simultaneous_interval") or {}
    low_of_all, high_of_all = held.get("interval") or (None, None)
    lowest, highest = figures.pop("population_interval") or (None, None)
    return {
        "task": task.task,
        "metric": task.metric.value,
        "invented": str(task.invented).lower(),
        **figures,
        "frontier": str(point.frontier).lower(),
        "quality_low": low,
        "quality_high": high,
        "simultaneous_low": low_of_all,
        "simultaneous_high": high_of_all,
        "population_low": lowest,
        "population_high": highest,
        "train_rows_fewest": fewest,
        "train_rows_most": most,
        "class_rows_fewest": smallest,
        "class_rows_most": largest,
        "seeds_failed": sum(failed.values()),
        **{f"seeds_{name}": signatures.get(name, 0 if signatures else None) for name in Signature},
        **{f"test_{name}": metrics[name]["mean"] if name in metrics else None for name in names},
    }
