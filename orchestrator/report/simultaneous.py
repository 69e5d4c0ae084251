"""Intervals of quality that hold for all cells of a task at once, and so for the one that is chosen.

The cell that scored highest was chosen by its score, so an interval for one cell holds its true quality too
seldom: 80 to 90 % where 95 is meant, among 12 cells that are alike. Each interval here misses with the
probability 5 % over the number of cells (Bonferroni), so with 95 % confidence none misses, whichever is
chosen. They are over seeds and documents, with the seeds' variance moderated over the cells: at so small a
level two seeds of their own would give intervals wider than the scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.contracts.metrics import MetricName
from orchestrator.report.comparing import of_cell
from orchestrator.report.evidence import Simultaneous
from orchestrator.report.moderation import prior_of_means
from orchestrator.report.replicates import Replicates
from orchestrator.report.statistics import CONFIDENCE, between, bounds


def simultaneous(cells: Sequence[Replicates], metric: MetricName) -> Mapping[str, Simultaneous]:
    """By name, of all scored cells of one task and comparison key. None with failed seeds, whose scores lie
    in two heaps."""
    prior = prior_of_means(cells)
    low, high = bounds(metric)
    found = {}
    for cell in cells:
        made = of_cell(cell, prior)
        half = None if cell.failed else made.half((1 - CONFIDENCE) / len(cells))
        found[cell.name] = Simultaneous(
            interval=None if half is None else between(made.mean, half, low, high),
            seeds=made.seeds,
            documents=made.documents,
            unit=made.unit,
            cells=len(cells),
        )
    return found
