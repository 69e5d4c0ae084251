"""Where the axes of plots begin and end, and what stands at their ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from orchestrator.report import wording


def span(means: Sequence[float], intervals: Sequence[tuple[float, float] | None]) -> list[float]:
    """The vertical axis: all means, and their intervals as far as they leave the means apart."""
    ends = [end for interval in intervals if interval for end in interval]
    low, high = min(means), max(means)
    reach = max(high - low, 0.1)
    bottom = max(min([low, *ends]), low - reach) - 0.05 * reach
    top = min(max([high, *ends]), high + reach) + 0.05 * reach
    return [round(bottom, 4), round(top, 4)]


def ticks(costs: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis: ticks at 1, 2 and 5 times the powers of ten, written out; the range leaves room for
    the markers. `costs` are positive."""
    low, high = math.log10(min(costs)), math.log10(max(costs))
    room = max(0.12, 0.04 * (high - low))
    low, high = low - room, high + room
    steps = (1,) if high - low > 3 else (1, 2, 5)
    values = [step * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for step in steps]
    values = [v for v in values if low <= math.log10(v) <= high]
    limits = [round(low, 4), round(high, 4)]
    if len(values) < 2:
        return {"range": limits}
    return {"range": limits, "tickvals": values, "ticktext": [_tick(v) for v in values]}


def _tick(value: float) -> str:
    return wording.count(round(value)) if value >= 1000 else wording.hours(value)
