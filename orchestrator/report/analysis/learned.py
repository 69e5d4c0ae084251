"""Whether any cell of a task learnt something: scored better than one answer to everything does.

Where none did, no cell is worth recommending, whichever scored highest, and more seeds would only show that
better. Three signs: no score is above that of guessing; most seeds collapsed or diverged; or of no cell the
interval over seeds and documents, which holds for all cells at once, lies above it. A cell with failed seeds
has no interval: it counts as one that reaches down to guessing unless one of its seeds scored far above that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.report.results.point import Point
from orchestrator.report.statistics.arrays import GRAIN
from orchestrator.report.statistics.simultaneous import Simultaneous
from orchestrator.report.statistics.summary import Summary

# Some score is far above that of guessing, and there are too few seeds or documents to say more.
NOT_SHOWN = "No model is shown to score better than guessing: all intervals reach down to it."
_FAR = 0.05  # 5 points; of an error that share of that of guessing


def unlearned(
    points: Sequence[Point],
    intervals: Mapping[str, Simultaneous],
    floor: float,
    unit: str | None = None,
) -> str | None:
    """Return why nothing was learnt, as a sentence about the cells of one task and comparison key, or None.
    `floor`: the quality of guessing, higher is better; `intervals`: by cell; `unit`: of the metric, where it
    has one."""
    scored = [(p, p.quality) for p in points if p.quality is not None]
    if not scored:
        return None
    failed, seeds = sum(q.failed for _, q in scored), sum(q.n for _, q in scored)
    if 2 * failed > seeds:
        return f"Training failed with most seeds: {failed} of {seeds} collapsed or diverged."
    above = [(p, q) for p, q in scored if q.mean > floor + GRAIN]
    if not above:
        return "No model scores better than guessing."
    far = floor + (_FAR * abs(floor) if unit else _FAR)
    if all(_reaches_down(q, intervals.get(p.name), floor, far) for p, q in above):
        is_far = max(q.mean for _, q in above) > far
        return NOT_SHOWN if is_far else "No model is shown to score better than guessing."
    return None


def _reaches_down(quality: Summary, at_once: Simultaneous | None, floor: float, far: float) -> bool:
    """Return whether the results leave open that a quality above the `floor` is no better than it. Of one
    seed, which says nothing about scatter, this is not asked."""
    if at_once is not None and at_once.interval is not None:
        return at_once.interval[0] <= floor
    return quality.failed > 0 and max(quality.values) <= far
