"""The figures of a point by axis, and which points no other one beats on all of several axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from orchestrator.report.results.point import Point
from orchestrator.report.statistics.summary import Summary


class Objective(StrEnum):
    """What a point can be held against. Of quality more is better, of all else less."""

    QUALITY = "quality"
    DEVICE_HOURS = "device_hours"
    WALL_TIME = "wall_time"
    PEAK_MEMORY = "peak_memory"
    TRAINABLE_PARAMETERS = "trainable_parameters"
    STORED_BYTES = "stored_bytes"
    MONEY = "money"
    ENERGY = "energy"
    LATENCY = "latency"


OBJECTIVES: dict[Objective, tuple[str, str]] = {  # title, unit of the figure
    Objective.QUALITY: ("quality", "score"),
    Objective.DEVICE_HOURS: ("device-hours of a trial", "h"),
    Objective.WALL_TIME: ("wall time of a trial", "s"),
    Objective.PEAK_MEMORY: ("peak memory", "bytes"),
    Objective.TRAINABLE_PARAMETERS: ("trained parameters", "parameters"),
    Objective.STORED_BYTES: ("stored bytes", "bytes"),
    Objective.MONEY: ("money for a trial", "money"),
    Objective.ENERGY: ("energy of a trial", "kWh"),
    Objective.LATENCY: ("latency of one answer", "ms"),
}


def measurement(point: Point, objective: Objective) -> float | None:
    """Return the value of a point on an objective, None where it is missing or not finite."""
    result: Summary | float | None = {
        Objective.QUALITY: point.quality,
        Objective.DEVICE_HOURS: point.device_hours,
        Objective.WALL_TIME: point.wall_seconds,
        Objective.PEAK_MEMORY: point.peak_memory_bytes,
        Objective.TRAINABLE_PARAMETERS: point.trainable_parameters,
        Objective.STORED_BYTES: point.saved_bytes,
        Objective.MONEY: point.money,
        Objective.ENERGY: point.energy_kwh,
        Objective.LATENCY: point.latency_ms,
    }[objective]
    value = result.mean if isinstance(result, Summary) else result
    return value if value is not None and math.isfinite(value) else None


def oriented_costs(points: Sequence[Point], axes: Sequence[Objective]) -> NDArray[np.float64]:
    """Return [points, axes], where lower is better on each axis, and NaN where a value is missing."""
    rows = [[_cost(measurement(point, objective), objective) for objective in axes] for point in points]
    return np.array(rows, dtype=np.float64).reshape(len(points), len(axes))


def _cost(value: float | None, objective: Objective) -> float:
    if value is None:
        return math.nan
    return -value if objective is Objective.QUALITY else value
