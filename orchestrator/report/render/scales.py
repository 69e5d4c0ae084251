"""Where the axes of plots begin and end, and the labels of their ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from orchestrator import units
from orchestrator.report.render.plot_data import LogAxis

_MOST_ROOM = math.log10(2)  # beyond the points on either side, for the ends of their bars
_TIMES = (1.0, 60.0, 3600.0)  # seconds; in each unit the ticks are these counts:
_COUNTS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30)


def span(
    means: Sequence[float],
    intervals: Sequence[tuple[float, float] | None],
    floor: float | None = None,
) -> list[float]:
    """The vertical axis: all means, and their intervals as far as they leave the means apart. `floor`: what
    guessing gives, which is in it where that is not far below."""
    ends = [end for interval in intervals if interval for end in interval]
    low, high = min(means), max(means)
    if floor is not None and low - floor <= max(high - low, 0.2) and floor - high <= max(high - low, 0.2):
        low, high = min(low, floor), max(high, floor)
    reach = max(high - low, 0.1)
    bottom = max(min([low, *ends]), low - reach) - 0.05 * reach
    top = min(max([high, *ends]), high + reach) + 0.05 * reach
    return [round(bottom, 4), round(top, 4)]


def ticks(costs: Sequence[float], ends: Sequence[float] = (), *, time: bool = False) -> LogAxis:
    """A logarithmic axis: ticks at 1, 2 and 5 times the powers of ten, written out; the range leaves room for
    the markers, and for the `ends` of bars that are near. `costs` are positive; hours, with `time`."""
    low, high = math.log10(min(costs)), math.log10(max(costs))
    room = max(0.12, 0.04 * (high - low))
    reach = [math.log10(end) for end in ends if end > 0]
    low = max(min([low - room, *(end - 0.03 for end in reach)]), low - room - _MOST_ROOM)
    high = min(max([high + room, *(end + 0.03 for end in reach)]), high + room + _MOST_ROOM)
    steps = (1,) if high - low > 3 else (1, 2, 5)
    values = [step * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for step in steps]
    values = _times(low, high) if time else values
    values = [v for v in values if low <= math.log10(v) <= high]
    if time and len(values) < 2:
        values = sorted({min(costs), max(costs)})
    limits = [round(low, 4), round(high, 4)]
    if len(values) < 2:
        return {"range": limits}
    return {"range": limits, "tickvals": values, "ticktext": [_tick(v, time) for v in values]}


def _times(low: float, high: float) -> list[float]:
    """Hours that are round in seconds, minutes or hours."""
    sparse = high - low > 3
    counts = [c for c in _COUNTS if not sparse or f"{c:g}".strip("0.") == "1"]
    values = {count * unit / 3600 for unit in _TIMES for count in counts if unit == 1 or count >= 1}
    large = [step * 10.0**power for power in range(1, 9) for step in ((1,) if sparse else (1, 2, 5))]
    return sorted(values - {30.0} | set(large))


def _tick(value: float, time: bool) -> str:
    if time:
        return units.time_of_hours(value)
    return units.short_count(round(value)) if value >= 1000 else units.hours(value)
