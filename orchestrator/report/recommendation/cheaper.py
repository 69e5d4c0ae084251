"""The cheapest cell that is not shown to be worse, beside the one that is named. One of which seeds failed is
never proposed, nor one that scored below the margin where another one is nearer to it, or below the interval
of the best: few seeds leave open what is unlikely."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from orchestrator.contracts.target import Target
from orchestrator.report.analysis.claim_text import DifferenceUnit
from orchestrator.report.analysis.good_enough import GoodEnough
from orchestrator.report.results.point import Point
from orchestrator.report.results.points import cost_and_quality
from orchestrator.report.statistics.arrays import GRAIN

_LEAST = 0.9  # of the cost: what costs more than that saves nothing
_SHARES = {"half": 1 / 2, "a third": 1 / 3, "a quarter": 1 / 4, "a fifth": 1 / 5, "a tenth": 1 / 10}
_ALIKE = 0.08  # of a share, by which it may be missed


def saving(points: Sequence[Point], judged: GoodEnough | None, scale: DifferenceUnit) -> str:
    """A sentence that follows the answer; empty where each cheaper cell is shown to be worse. `points`: of
    one task and comparison key. What its limits are over is said by the caller."""
    cheapest = cheapest_not_worse(points, judged)
    if judged is None or cheapest is None:
        return ""
    point, share = cheapest
    ends = judged.cheaper[point.name]
    assert ends is not None
    low, high = ends
    below = (
        low + high
    ) / 2  # of the limits as they are: cut to what a score can be, they have another middle
    high = scale.limit(high)
    plain = f", which is {point.plain}," if point.plain else ""
    text = f"{point.name}{plain} costs {of_cost(share)} of what {judged.cell} costs"
    if judged.target.at_least is not None:
        return f"{text} and is not shown to miss it: its quality is {low:.3f} to {high:.3f}."
    most = scale.with_unit(high)
    scored = f"scored {scale.with_unit(below)} below the best" if below > 0 else "scored as high as the best"
    return f"{text}. It {scored} and is not shown to be worse: it may be up to {most} worse."


def cheapest_not_worse(points: Sequence[Point], judged: GoodEnough | None) -> tuple[Point, float] | None:
    """Return the cell with its share of the cost of the one that is named; None where there is none."""
    if judged is None:
        return None
    by_name = {p.name: p for p in points}
    named = by_name.get(judged.cell)
    cost = None if named is None else cost_and_quality(named)[0]
    if not cost:
        return None
    failed = {p.name for p in points if p.quality is not None and p.quality.failed}
    limits = {
        name: ends
        for name, ends in judged.cheaper.items()
        if ends is not None and name not in failed and _is_near(by_name.get(name), points, judged.target)
    }
    proposed = [by_name[name] for name in _proposed(limits, judged.target) if name in by_name]
    shares = [((cost_and_quality(point)[0] or cost) / cost, point.name) for point in proposed]
    share, name = min(shares, default=(1.0, ""))
    return (by_name[name], share) if share <= _LEAST else None


def _is_near(point: Point | None, points: Sequence[Point], target: Target) -> bool:
    """Return whether a cell scored within the margin of the best, or within the interval of that; for
    `at_least` this is not asked."""
    scored = [p for p in points if p.quality is not None]
    best = max(scored, key=lambda p: p.quality.mean if p.quality else -math.inf, default=None)
    if target.at_least is not None or point is None or point.quality is None or best is None:
        return True
    assert best.quality is not None
    ends = None if best.simultaneous is None else best.simultaneous.interval
    least = best.quality.mean - (target.within or 0.0) - GRAIN
    return point.quality.mean >= (least if ends is None else min(least, ends[0]))


def _proposed(limits: Mapping[str, tuple[float, float]], target: Target) -> list[str]:
    """Return the cells that are not shown to be worse, and whose score is within the margin or nearest to it.
    `limits`: of how far each is below the best; for `at_least`, of its quality."""
    if (least := target.at_least) is not None:
        limits = {name: (least - high, least - low) for name, (low, high) in limits.items()}
    below = {name: (low + high) / 2 for name, (low, high) in limits.items() if low <= 0}
    allowed = max(target.within or 0.0, min(below.values(), default=0.0))
    return [name for name, middle in below.items() if middle <= allowed]


def of_cost(share: float) -> str:
    """`a fifth`, or `37 %`."""
    near = min(_SHARES, key=lambda name: abs(_SHARES[name] / share - 1))
    return near if abs(_SHARES[near] / share - 1) <= _ALIKE else f"{100 * share:.2g} %"
