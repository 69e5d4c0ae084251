"""The figures of a point by axis, and which points no other one beats on all of several axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from orchestrator.report.results.point import Point
from orchestrator.report.statistics.summary import Summary


class Side(StrEnum):
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


SIDES: dict[Side, tuple[str, str]] = {  # title, unit of the figure
    Side.QUALITY: ("quality", "score"),
    Side.DEVICE_HOURS: ("device-hours of a trial", "h"),
    Side.WALL_TIME: ("wall time of a trial", "s"),
    Side.PEAK_MEMORY: ("peak memory", "bytes"),
    Side.TRAINABLE_PARAMETERS: ("trained parameters", "parameters"),
    Side.STORED_BYTES: ("stored bytes", "bytes"),
    Side.MONEY: ("money for a trial", "money"),
    Side.ENERGY: ("energy of a trial", "kWh"),
    Side.LATENCY: ("latency of one answer", "ms"),
}


def figure(point: Point, side: Side) -> float | None:
    """None where it is not known, or no finite number."""
    found: Summary | float | None = {
        Side.QUALITY: point.quality,
        Side.DEVICE_HOURS: point.device_hours,
        Side.WALL_TIME: point.wall_seconds,
        Side.PEAK_MEMORY: point.peak_memory_bytes,
        Side.TRAINABLE_PARAMETERS: point.trainable_parameters,
        Side.STORED_BYTES: point.saved_bytes,
        Side.MONEY: point.money,
        Side.ENERGY: point.energy_kwh,
        Side.LATENCY: point.latency_ms,
    }[side]
    value = found.mean if isinstance(found, Summary) else found
    return value if value is not None and math.isfinite(value) else None


def oriented(points: Sequence[Point], axes: Sequence[Side]) -> NDArray[np.float64]:
    """[points, axes], lower is better on each; NaN where a figure is missing."""
    rows = [[_lower_is_better(figure(point, side), side) for side in axes] for point in points]
    return np.array(rows, dtype=np.float64).reshape(len(points), len(axes))


def _lower_is_better(value: float | None, side: Side) -> float:
    if value is None:
        return math.nan
    return -value if side is Side.QUALITY else value
