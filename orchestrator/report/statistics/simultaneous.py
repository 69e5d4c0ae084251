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
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Unit
from orchestrator.report.statistics.moderation import prior_of_means
from orchestrator.report.statistics.paired import of_cell
from orchestrator.report.statistics.replicates import Replicates
from orchestrator.report.statistics.summary import CONFIDENCE, between, bounds


class Simultaneous(Record):
    """The 95 % interval of a cell's quality, over other seeds and, where `documents` is set, other test
    documents. It holds for all `cells` of a task and comparison key at once, so for the one that was chosen
    by its score as well. None of one seed, and where nothing scatters."""

    interval: tuple[float, float] | None
    seeds: int
    documents: int | None
    unit: Unit = Unit.DOCUMENT  # what the documents are
    cells: int

    @property
    def over(self) -> str:
        """`3 seeds and 150 documents`, or patients."""
        seeds = f"{self.seeds} seed{'' if self.seeds == 1 else 's'}"
        return f"{seeds} alone" if self.documents is None else f"{seeds} and {self.documents:,} {self.unit}"


def simultaneous(cells: Sequence[Replicates], metric: MetricName) -> Mapping[str, Simultaneous]:
    """Return the intervals by name, for all scored cells of one task and comparison key. None for cells with
    failed seeds, whose scores form two clusters."""
    prior = prior_of_means(cells)
    low, high = bounds(metric)
    intervals = {}
    for cell in cells:
        estimate = of_cell(cell, prior)
        half = None if cell.failed else estimate.half((1 - CONFIDENCE) / len(cells))
        intervals[cell.name] = Simultaneous(
            interval=None if half is None else between(estimate.mean, half, low, high),
            seeds=estimate.seeds,
            documents=estimate.documents,
            unit=estimate.unit,
            cells=len(cells),
        )
    return intervals
