"""The hypervolume under a frontier of quality and one cost, and how far it can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from orchestrator.contracts.record import Record
from orchestrator.report.analysis.objectives import OBJECTIVES, Objective
from orchestrator.report.statistics.arrays import Floats

_TAILS = (0.5, 99.5)  # per cent, of a 95 % interval: the draws scatter too little for 2.5 and 97.5


class Hypervolume(Record):
    """How much the frontier covers, between the cheapest measured cost and the reference point. It depends
    on the set of cells through these two ends.

    `value` is the area below it, over the decimal logarithm of the cost, through the width: the mean quality
    that a budget buys, budgets taken evenly on a logarithmic axis.
    """

    value: float
    interval: tuple[float, float] | None = (
        None  # 95 %, over seeds and documents; None without draws, or if seeds failed
    )
    low: float  # cheapest cost measured
    reference_cost: float  # dearest cost measured
    reference_quality: float
    sentence: str


def hypervolume(
    costs: Floats, quality: Floats, objective: Objective, drawn: tuple[Floats, Floats] | None, over: str
) -> Hypervolume | None:
    """`costs`, `quality`: [points]; `drawn`: the same, drawn again, [draws, points], `over` seeds
    alone or documents as well. None where a cost is 0,
    or all are equal: there is no area.

    The interval is that of the basic bootstrap, twice the estimate less the quantiles of the draws: the best
    of several uncertain figures is overestimated, by the draws as by the estimate itself. Its ends are those
    that are called 99 %: those of 95 % hold the true area in 87 to 93 % with five seeds.
    """
    low, high = float(costs.min(initial=math.inf)), float(costs.max(initial=0.0))
    if low <= 0 or high <= low or math.isclose(low, high):
        return None
    [value] = mean_quality(costs[None], quality[None], low, high).tolist()
    interval = None
    if drawn is not None:
        below, above = np.percentile(mean_quality(*drawn, low, high), _TAILS)
        interval = max(0.0, float(2 * value - above)), min(1.0, float(2 * value - below))
    return Hypervolume(
        value=value,
        interval=interval,
        low=low,
        reference_cost=high,
        reference_quality=0.0,
        sentence=_sentence(value, None if interval is None else (*interval, over), (low, high), objective),
    )


def mean_quality(costs: Floats, quality: Floats, low: float, high: float) -> Floats:
    """Return for each row the mean, over the logarithm of the budget, of the best quality that it buys, 0
    where it buys none."""
    order = np.argsort(costs, axis=1)
    best = np.maximum.accumulate(np.take_along_axis(np.clip(quality, 0.0, 1.0), order, axis=1), axis=1)
    places = np.log10(np.clip(np.take_along_axis(costs, order, axis=1), low, high))
    widths = np.diff(places, axis=1, append=math.log10(high))
    means: Floats = (best * widths).sum(axis=1) / (math.log10(high) - math.log10(low))
    return means


def _sentence(
    value: float, interval: tuple[float, float, str] | None, ends: Sequence[float], objective: Objective
) -> str:
    title, unit = OBJECTIVES[objective]
    low, high = ends
    sure = "" if interval is None else f" (95 % {interval[0]:.3f} to {interval[1]:.3f} {interval[2]})"
    return (
        f"A budget between {low:.3g} and {high:.3g} {unit} ({title}) buys a quality of {value:.3f}{sure} in "
        "the mean over the logarithm of the budget: the hypervolume under the frontier, against the "
        f"reference point of quality 0 at {high:.3g} {unit}, over its width. The range comes from the "
        "cells measured here; compare only values over the same range. The value is a little too high by "
        "construction, as the best of several uncertain scores is."
    )
