"""The signature of a trial's learning curve on dev. Pure.

A curve is all evaluations of a trial in order, those of the attempts it was resumed from included, so an
interruption changes no signature.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.contracts.vocabulary import Signature

MARGIN = 0.01  # of quality: a smaller difference is none
FEWEST = 3  # scored evaluations; fewer make no curve
TAIL = 4  # the end of a curve is its last quarter, one evaluation at least


@dataclass(frozen=True)
class DevScore:
    """One evaluation of dev. `quality` is None where the task's metric is missing."""

    step: int
    train_seconds: float
    quality: float | None
    collapsed: bool


def signature(curve: Sequence[DevScore], margin: float = MARGIN) -> Signature | None:
    """Return the first signature that applies. Differences are of quality, which is higher for better; one of
    at most `margin` is none.

    COLLAPSED: the best evaluation (of equals the first) is collapsed.
    None: fewer than 3 evaluations have a quality.
    PLATEAUED: the best one is no more than the margin above the first one.
    IMPROVING: the best one is the last one, and more than the margin above all before the last quarter.
    CONVERGED: all others. It rose, and going on added nothing: it stayed, or fell from its best.
    """
    if curve and max(curve, key=_height).collapsed:
        return Signature.COLLAPSED
    heights = [scored.quality for scored in curve if scored.quality is not None]
    if len(heights) < FEWEST:
        return None
    first, best, last = heights[0], max(heights), heights[-1]
    if best - first <= margin:
        return Signature.PLATEAUED
    before = heights[: -max(1, len(heights) // TAIL)]
    return Signature.IMPROVING if last == best and last - max(before) > margin else Signature.CONVERGED


def _height(scored: DevScore) -> float:
    return -math.inf if scored.quality is None else scored.quality
