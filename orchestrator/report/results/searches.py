"""What the searches before the seeds found and took."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.tuning import Tuned, Value
from orchestrator.report.results.point import Point


class TunedCell(Record):
    """What a search before the seeds found, and took. `share` is its cost over the planned seeds."""

    cell: str  # model/domain/method
    values: dict[str, Value]
    metric: MetricName
    dev_quality: float
    candidates: int  # scored
    failed: int
    device_hours: float
    device_type: str
    seeds: int  # planned
    share: float | None  # device-hours a seed; None without seeds


def searched_cells(points: Sequence[Point], sweep: SweepRecord) -> tuple[TunedCell, ...]:
    planned = {p.cell.name: (p.name, p.planned_seeds) for p in points if p.cell.name in sweep.tuned}
    return tuple(_search(name, seeds, sweep.tuned[cell]) for cell, (name, seeds) in planned.items())


def _search(name: str, seeds: int, tuned: Tuned) -> TunedCell:
    hours = tuned.device_seconds / 3600
    return TunedCell(
        cell=name,
        **tuned.model_dump(
            include={"values", "metric", "dev_quality", "candidates", "failed", "device_type"}
        ),
        device_hours=hours,
        seeds=seeds,
        share=hours / seeds if seeds else None,
    )
