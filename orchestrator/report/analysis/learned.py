"""Which cells of a task are shown to score better than guessing: than one answer to everything.

Where none is, no cell is worth recommending, whichever scored highest. A cell is shown to be better where its
interval over seeds and documents, which holds for all cells at once, lies above guessing. Where seeds of a
cell failed, that is the interval of those that worked: failed seeds count with what guessing gives, so the
expected score of the cell is above guessing exactly if theirs is. One seed that worked tells nothing of how
they scatter, so it shows nothing, however high it scored. Where no seed failed and nothing tells of scatter
(one seed, or seeds that are all alike), a score far above guessing counts as better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from orchestrator.report.results.point import Point
from orchestrator.report.statistics.arrays import GRAIN
from orchestrator.report.statistics.simultaneous import Simultaneous
from orchestrator.report.statistics.summary import Summary

# Some score is far above that of guessing, and there are too few seeds or documents to say more.
NOT_SHOWN = "No model is shown to score better than guessing: no interval lies above it."
_FAR = 0.05  # 5 points; of an error that share of that of guessing


class AgainstGuessing(NamedTuple):
    """Of one task and comparison key. `nothing`: why nothing is recommended, as a sentence; None where a cell
    is shown to score better than guessing. `not_shown`: the cells that are not, by name."""

    nothing: str | None
    not_shown: tuple[str, ...]


def against_guessing(
    points: Sequence[Point],
    intervals: Mapping[str, Simultaneous],
    floor: float,
    unit: str | None = None,
) -> AgainstGuessing:
    """Compare the cells of one task and comparison key with guessing, whose quality is the `floor`.
    `intervals`: by cell, of the seeds that worked; `unit`: of the metric, where it has one."""
    scored = [(p, p.quality) for p in points if p.quality is not None]
    far = floor + (_FAR * abs(floor) if unit else _FAR)
    not_shown = tuple(
        p.name for p, q in scored if not _is_above(p, q, intervals.get(p.name), floor=floor, far=far)
    )
    return AgainstGuessing(_nothing([q for _, q in scored], len(not_shown), floor, far), not_shown)


def _nothing(qualities: Sequence[Summary], not_shown: int, floor: float, far: float) -> str | None:
    failed, seeds = sum(q.failed for q in qualities), sum(q.n for q in qualities)
    if 2 * failed > seeds:
        return f"Training failed with most seeds: {failed} of {seeds} collapsed or diverged."
    if not qualities or not_shown < len(qualities):
        return None
    highest = max(q.mean for q in qualities)
    if highest <= floor + GRAIN:
        return "No model scores better than guessing."
    return NOT_SHOWN if highest > far else "No model is shown to score better than guessing."


def _is_above(
    point: Point, quality: Summary, at_once: Simultaneous | None, *, floor: float, far: float
) -> bool:
    """Return whether a cell is shown to score better than the `floor`, or scored so `far` above it that only
    its scatter is not known."""
    if quality.mean <= floor + GRAIN:
        return False
    if at_once is not None and at_once.interval is not None:
        return at_once.interval[0] > floor
    failed = any(kind.blames_the_training for kind in point.failed)
    return not failed and quality.mean > far
