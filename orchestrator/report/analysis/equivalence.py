"""Whether a published number and ours agree: an equivalence test with a margin, by two one-sided tests.

The difference of the two, ours less theirs, has an interval over their runs and our seeds. At 5 % on each
side (90 % in all) it shows that they agree where it lies within the margin, that they differ where it lies
beyond it, and else nothing (Schuirmann 1987; Lakens 2017): a wide interval is no replication, and a narrow
one that misses their number by less than the margin is no failure.

The runs of both scatter as their standard deviations say (Welch); where theirs is not told, as ours do. A
published maximum of k runs is held against what the maximum of k of ours is expected to be (normal order
statistics), for the mean of ours is below it though nothing differs. Of how many runs it is the maximum must
be known.
"""

from __future__ import annotations

import math
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, stdtrit

from orchestrator.report.analysis.published import PublishedNumber
from orchestrator.report.statistics.arrays import GRAIN
from orchestrator.report.statistics.pareto import CLOSE
from orchestrator.report.statistics.summary import Summary

LEVEL = 0.05  # one-sided
_MAXIMA = ("max", "best-of-repeats")


class Equivalence(StrEnum):
    """Of a published number beside ours."""

    AGREES = "agrees"  # shown to be within 1 point
    DIFFERS = "differs"  # shown to be further apart
    OPEN = "open"


class EquivalenceTest(NamedTuple):
    """`interval`: of ours less theirs, 90 %; None with `why` where it cannot be had."""

    difference: float
    interval: tuple[float, float] | None
    verdict: Equivalence
    why: str | None = None


def equivalence_test(ours: Summary, theirs: PublishedNumber, margin: float = CLOSE) -> EquivalenceTest:
    """Compare `ours`, as the metric is read, with a published number. Where seeds of ours failed it is open:
    failed seeds count, and no interval describes their scatter with the others."""
    plain = ours.mean - theirs.value
    if ours.failed:
        why = f"{ours.failed} of our {ours.n} seeds failed"
        return EquivalenceTest(plain, None, Equivalence.OPEN, why)
    if ours.sd is None:
        return EquivalenceTest(plain, None, Equivalence.OPEN, "ours is one seed")
    maximum = theirs.statistic in _MAXIMA
    if maximum and theirs.n is None:
        return EquivalenceTest(
            plain, None, Equivalence.OPEN, "theirs is the maximum of an unknown number of runs"
        )
    runs = theirs.n or 1
    shift, spread = _maximum(runs) if maximum else (0.0, _spread(theirs.statistic, runs))
    our_variance = ours.sd**2 * (1 / ours.n + (shift**2 / (2 * (ours.n - 1))))
    spread_known = theirs.sd is not None and runs > 1 and not maximum
    their_variance = (theirs.sd or 0.0) ** 2 * spread if spread_known else ours.sd**2 * spread
    error = math.sqrt(our_variance + their_variance)
    if error < GRAIN:
        return EquivalenceTest(plain, None, Equivalence.OPEN, "our seeds are all alike")
    freedom = ours.n - 1.0
    if spread_known:
        freedom = (our_variance + their_variance) ** 2 / (
            our_variance**2 / (ours.n - 1) + their_variance**2 / (runs - 1)
        )
    difference = plain + shift * ours.sd
    half = -float(stdtrit(freedom, LEVEL)) * error
    low, high = difference - half, difference + half
    verdict = Equivalence.OPEN
    if -margin < low and high < margin:
        verdict = Equivalence.AGREES
    elif low > margin or high < -margin:
        verdict = Equivalence.DIFFERS
    return EquivalenceTest(
        difference, (low, high), verdict, f"our expected maximum of {runs}" if maximum else None
    )


def _spread(statistic: str, runs: int) -> float:
    """Return the variance of the statistic over so many runs, relative to that of one run. That of a median
    is at most pi / 2 times that of the mean."""
    return (math.pi / 2 if statistic == "median" and runs > 2 else 1.0) / runs


@cache
def _maximum(runs: int) -> tuple[float, float]:
    """Return mean and variance of the maximum of so many standard normal numbers."""
    x = np.linspace(-9.0, 9.0, 20_001)
    share = ndtr(x) ** runs
    middle, weight = (x[1:] + x[:-1]) / 2, np.diff(share)
    mean = float((middle * weight).sum())
    return mean, float((middle**2 * weight).sum()) - mean**2
