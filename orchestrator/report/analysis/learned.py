"""Whether any cell of a task learnt something: scored better than one answer to everything does.

Where none did, no cell is worth recommending, whichever scored highest, and more seeds would only show that
better. Three signs: no score is above that of guessing; most seeds collapsed or diverged; or of no cell the
interval over seeds and documents, which holds for all cells at once, lies above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.report.results.point import Point
from orchestrator.report.statistics.arrays import GRAIN
from orchestrator.report.statistics.simultaneous import Simultaneous

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
    ends = [at_once.interval for p, _ in above if (at_once := intervals.get(p.name)) is not None]
    if len(ends) == len(above) and all(interval is not None and interval[0] <= floor for interval in ends):
        far = max(q.mean for _, q in above) - floor > (_FAR * abs(floor) if unit else _FAR)
        return NOT_SHOWN if far else "No model is shown to score better than guessing."
    return None
