"""Between which totals a forecast is likely to end, by drawing the sweep many times.

What a trial takes is drawn as

    usual seconds x common x family x own,

all three log-normal around 1 but for `own`. *Common* is how busy the machine is beside what it was when the
trials that the forecast rests on were measured: a standard deviation of 10 %, which no ledger tells and is
assumed. *Family* is by how much forecasts that rest on the same ground are off together: the hand-set
spreads of `cost`, and the scatter of the finished trials that the ground consists of. *Own* is drawn from how
finished trials scattered around what was usual for them, over all families, and from twenty invented trials
that scatter by 20 % and of which one takes three times as long: so a straggler is allowed for before any was
seen, and the ledger outweighs the invention as it grows. With one finished trial of each family nothing tells
how trials scatter, so where one in ten is a straggler the intervals then hold in 7 of 10 sweeps, not in 9.

Hours are sums of what is drawn, wall clocks the ends of drawn schedules, and the wall clock that is named is
the median of these. The interval leaves out the lowest
and the highest twentieth of the draws. Row S8 of `tests/bench/statistics_honest.py` has how often totals end
inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrator.planning.cost import LEVEL, TrialForecast

Floats = NDArray[np.float64]
_COMMON = 0.1  # the standard deviation of the logarithm of the load
_DRAWS, _LEAST_DRAWS, _MOST_DRAWN = 400, 100, 1_000_000
_MOST_SEEN = 9  # of a family's trials: more of them are known no better
_SEED = 20240216
_ENDS = (1 - LEVEL) / 2, (1 + LEVEL) / 2  # of an interval

_INVENTED_SPREAD = 0.2
_STRAGGLER = 3.0
_INVENTED = (
    *(math.exp(_INVENTED_SPREAD * NormalDist().inv_cdf((place + 0.5) / 19)) for place in range(19)),
    _STRAGGLER,
)


class Noise:
    """How trials scatter around what is usual for them. `ratios`: of what finished ones took to it."""

    def __init__(self, ratios: Sequence[float]) -> None:
        self._pool: Floats = np.array([*ratios, *_INVENTED], dtype=np.float64)
        # As shrunken as the draws are: the invented trials count as usual ones.
        self.mean = (sum(ratios) + len(_INVENTED)) / len(self._pool)

    def draw(self, shape: tuple[int, int], random: np.random.Generator) -> Floats:
        draws: Floats = self._pool[random.integers(len(self._pool), size=shape)]
        return draws


class Likely(NamedTuple):
    """[draws], rising: device-hours of everything, and seconds until all is done."""

    hours: Floats
    wall: Floats | None

    def factors(self, expected: float) -> tuple[float, float]:
        """Return the factors from the expected hours to the ends of their interval."""
        return _ends(self.hours, expected)

    @property
    def wall_median(self) -> float | None:
        """The schedule of mean durations is no forecast: nearly all drawn schedules end after it, for they
        wait for the trial that takes longest."""
        return None if self.wall is None else float(np.median(self.wall))

    @property
    def wall_interval(self) -> tuple[float, float] | None:
        if self.wall is None:
            return None
        low, high = np.quantile(self.wall, _ENDS)
        return float(low), float(high)

    @property
    def twentieths(self) -> tuple[float, ...]:
        """Return the totals that 5, 10, … 95 % of such sweeps stay below, in hours."""
        return tuple(np.quantile(self.hours, np.arange(1, 20) / 20).tolist())


def _ends(drawn: Floats, expected: float) -> tuple[float, float]:
    """Return the ends of the interval, which contains the expected total whatever was drawn."""
    low, high = np.quantile(drawn, _ENDS) / expected
    return min(float(low), 1.0), max(float(high), 1.0)


def likely(launches: Sequence[Sequence[TrialForecast]], noise: Noise, at_once: int | None) -> Likely:
    """`launches`: one begins when the one before it is through; their trials in the order in which they
    start, at least one. `at_once`: how many trials run together; None: not known, and so no wall clock."""
    trials = [p for launch in launches for p in launch]
    count = max(_LEAST_DRAWS, min(_DRAWS, _MOST_DRAWN // len(trials)))
    random = np.random.default_rng(_SEED)
    common = np.exp(_COMMON * random.standard_normal((count, 1)))
    families = {p.family: p for p in trials}
    errors = {name: _off(p, noise, count, random) for name, p in families.items()}
    drawn = common * noise.draw((count, len(trials)), random)
    for index, p in enumerate(trials):
        drawn[:, index] *= p.seconds * errors[p.family]
    hours = np.sort(drawn @ np.array([p.devices for p in trials])) / 3600
    if at_once is None:
        return Likely(hours, None)
    wall, start = np.zeros(count), 0
    for launch in launches:
        wall += makespans(drawn[:, start : start + len(launch)], at_once)
        start += len(launch)
    return Likely(hours, np.sort(wall))


def _off(p: TrialForecast, noise: Noise, count: int, random: np.random.Generator) -> Floats:
    """[draws]: by what factor all forecasts of a family are off together."""
    normal = random.standard_normal(count)
    factors: Floats = np.exp(np.where(normal < 0, p.below, p.above) * normal)
    if p.seen:
        factors /= np.median(noise.draw((count, min(p.seen, _MOST_SEEN)), random), axis=1)
    return factors


def makespans(durations: Floats, slots: int) -> Floats:
    """[draws, trials] -> [draws]: seconds until the last of a row ends, each started in order as soon as one
    of `slots` is free.

    List scheduling; longest first it is at most 4/3 of the best possible (Graham 1969).
    """
    ends = np.zeros((len(durations), min(slots, max(durations.shape[1], 1))))
    rows = np.arange(len(ends))
    for column in durations.T:
        ends[rows, ends.argmin(axis=1)] += column
    latest: Floats = ends.max(axis=1)
    return latest
