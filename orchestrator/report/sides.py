"""The figures of a point by axis, and which points no other one beats on all of several axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.report.evidence import Side
from orchestrator.report.model import Point
from orchestrator.report.statistics import Summary


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


def undominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`costs`: [n, axes], lower is better on each. Whether no other row is as good on all and better on one:
    exact ties stay. A row with a figure that is not finite is never among them, and beats none."""
    complete = np.flatnonzero(np.isfinite(costs).all(axis=1))
    others = costs[complete]
    found = np.zeros(len(costs), dtype=np.bool_)
    for index in complete:
        row = costs[index]
        found[index] = not ((others <= row).all(axis=1) & (others < row).any(axis=1)).any()
    return found


def undominated_rows(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The same of each of several sets of finite figures at once: [sets, n, axes]."""
    one, other = costs[:, :, None, :], costs[:, None, :, :]
    beaten = np.ones(costs.shape[:2] + costs.shape[1:2], dtype=np.bool_)
    better = np.zeros_like(beaten)
    for axis in range(costs.shape[2]):
        beaten &= other[..., axis] <= one[..., axis]
        better |= other[..., axis] < one[..., axis]
    return np.logical_not((beaten & better).any(axis=2))


def oriented(points: Sequence[Point], axes: Sequence[Side]) -> NDArray[np.float64]:
    """[points, axes], lower is better on each; NaN where a figure is missing."""
    rows = [[_lower_is_better(figure(point, side), side) for side in axes] for point in points]
    return np.array(rows, dtype=np.float64).reshape(len(points), len(axes))


def _lower_is_better(value: float | None, side: Side) -> float:
    if value is None:
        return math.nan
    return -value if side is Side.QUALITY else value
