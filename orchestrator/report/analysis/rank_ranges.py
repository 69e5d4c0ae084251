"""Between which places each cell ranks: the ones that the tests of its pairs leave open.

A cell is at best one place below those that are shown to be better, and at worst one place above those that
are shown to be worse (Mogstad, Romano, Shaikh and Wilhelm 2024; Klein, Wright and Wieczorek 2020). Ranks are
not smooth, so quantiles of redrawn ranks hold the true rank of close cells in 55 to 66 % where 95 is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from orchestrator.report.analysis.claims import LEVEL
from orchestrator.report.statistics.moderation import prior_of
from orchestrator.report.statistics.paired import difference
from orchestrator.report.statistics.replicates import Replicates

MOST_RANKED = 40  # cells: of more, there would be too many pairs


def rank_ranges(cells: Sequence[Replicates], tasks: int) -> list[tuple[int, int]] | None:
    """Return the best and the worst rank of each cell of one task. They hold for all cells of so many tasks
    at once with 95 % confidence (Bonferroni over all pairs). None for more than `MOST_RANKED` cells."""
    count = len(cells)
    if count > MOST_RANKED:
        return None
    level, prior = LEVEL / max(tasks * count * (count - 1) // 2, 1), prior_of(cells)
    best, worst = [1] * count, [count] * count
    for left, right in combinations(range(count), 2):
        gap = difference(cells[left], cells[right], prior)
        half = gap.half(level)
        if half is None or abs(gap.mean) <= half:
            continue
        ahead, behind = (left, right) if gap.mean > 0 else (right, left)
        best[behind] += 1
        worst[ahead] -= 1
    return list(zip(best, worst, strict=True))
