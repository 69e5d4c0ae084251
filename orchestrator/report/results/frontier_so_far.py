"""The frontiers of a sweep that is running, as its report would draw them now, and the seeds behind them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.target import NEAR
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report.results.cells import CellResults, Key, key_of
from orchestrator.report.results.failed_seeds import Counting
from orchestrator.report.results.guessing import ClassCounts, guess
from orchestrator.report.results.point import Point
from orchestrator.report.results.points import comparisons_of, cost_and_quality, points_of
from orchestrator.report.results.seed_choice import by_dev
from orchestrator.report.statistics.pareto import cheapest_enough


@dataclass(frozen=True)
class OnFrontier:
    """A cell that no other cell beats. `rank`: 0 for the cheapest that is good enough, then the others by
    quality, best first. `seeds`: its finished trials under one comparison key, best on dev first."""

    cell: Cell
    rank: int
    seeds: tuple[TrialRecord, ...]


class FrontierSoFar:
    """The newest records of each cell. `put` replaces those of a cell."""

    def __init__(self, sweep: SweepRecord) -> None:
        self._sweep = sweep
        self._cells: dict[str, dict[Cell, CellResults]] = {}  # by task
        self._classes: dict[str, ClassCounts] = {}  # by task
        self._finished: dict[Cell, tuple[TrialRecord, ...]] = {}

    def put(self, cell: Cell, records: Collection[TrialRecord]) -> None:
        """`records`: one for each planned seed of the cell."""
        results = CellResults(cell)
        for record in records:
            results.add(record, lambda attempt: None, self._sweep.standalone)
            if record.outcome is not None:
                counts = ClassCounts.by(record.outcome)
                if counts.is_better(self._classes.get(cell.task)):
                    self._classes[cell.task] = counts
        self._cells.setdefault(cell.task, {})[cell] = results
        self._finished[cell] = tuple(r for r in records if r.state is TrialState.FINISHED)

    def frontier(self, task: str) -> Iterator[OnFrontier]:
        """Yield the cells on the frontiers of a task, one frontier for each comparison key."""
        cells = list(self._cells.get(task, {}).values())
        spec, comparisons = self._sweep.tasks[task], comparisons_of(cells)
        guessed = guess(spec, self._classes.get(task)).scores
        counting = Counting(self._sweep.failures, spec.metric, guessed)
        points = points_of(cells, (), comparisons, self._sweep, counting)
        for key, comparison in comparisons.items():
            yield from self._ranked(task, key, [p for p in points if p.comparison == comparison.label])

    def _ranked(self, task: str, key: Key, points: list[Point]) -> Iterator[OnFrontier]:
        target = NEAR if self._sweep.good_enough is None else self._sweep.good_enough.of(task)
        enough = cheapest_enough([cost_and_quality(point) for point in points], target)
        first = None if enough is None else points[enough]
        on = sorted((p for p in points if p.frontier), key=lambda p: (p is not first, -_quality(p), p.name))
        for rank, point in enumerate(on):
            seeds = [t for t in self._finished[point.cell] if t.outcome and key_of(t, t.outcome) == key]
            yield OnFrontier(point.cell, rank, tuple(reversed(by_dev(seeds))))


def _quality(point: Point) -> float:
    return cost_and_quality(point)[1] or 0.0
