"""How long a sweep will still take, from what its trials took and what was forecast for them. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtrit

_CONFIDENCE = 0.95
_LEAST = 2  # finished trials for an interval


@dataclass(frozen=True)
class TimeLeft:
    seconds: float
    interval: tuple[float, float] | None  # 95 %; None with too few finished trials


class Pace:
    """Learns from finished trials. Where a trial has no forecast, all count as equally long."""

    def __init__(self) -> None:
        self._walls: list[float] = []
        self._ratios: list[float] = []

    def learn(self, wall_seconds: float, forecast: float | None) -> None:
        self._walls.append(wall_seconds)
        if forecast:
            self._ratios.append(wall_seconds / forecast)

    def left(
        self, forecasts: Sequence[float | None], elapsed: Sequence[float], places: int
    ) -> TimeLeft | None:
        """Return the time left of the unfinished trials; the first of them have run for `elapsed` seconds.

        The interval is the prediction interval of a sum whose parts err independently, by the t-distribution
        (Montgomery and Runger, section 8-6): the scatter of what is left, and that of the mean it rests
        on. It supposes that as many trials keep running at once.
        """
        given = [seconds for seconds in forecasts if seconds]
        by_ratio = bool(self._ratios) and len(given) == len(forecasts)
        seen = self._ratios if by_ratio else self._walls
        if not seen or places < 1:
            return None
        sizes = given if by_ratio else [1.0] * len(forecasts)
        count, total = len(seen), math.fsum(sizes)
        mean = math.fsum(seen) / count
        expected = [mean * size for size in sizes]
        done = math.fsum(min(e, x) for e, x in zip(elapsed, expected, strict=False))
        longest = max((x for x in expected[len(elapsed) :]), default=0.0)
        seconds = max((math.fsum(expected) - done) / places, longest)
        if count < _LEAST:
            return TimeLeft(seconds, None)
        variance = math.fsum((s - mean) ** 2 for s in seen) / (count - 1)
        error = math.sqrt(variance * (math.fsum(s * s for s in sizes) + total * total / count))
        half = float(stdtrit(count - 1, (1 + _CONFIDENCE) / 2)) * error / places
        return TimeLeft(seconds, (max(0.0, seconds - half), seconds + half))
