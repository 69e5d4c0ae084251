"""How the cells of a sweep that is running compare, as its report would draw the frontiers now."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.target import NEAR
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report.results.cells import CellResults, ExamplesOf, key_of
from orchestrator.report.results.failed_seeds import Counting
from orchestrator.report.results.guessing import KnownClasses, guess
from orchestrator.report.results.point import Point
from orchestrator.report.results.points import comparisons_of, cost_and_quality, points_of
from orchestrator.report.results.result import Key
from orchestrator.report.results.seed_choice import by_dev
from orchestrator.report.statistics.pareto import as_costs, cheapest_enough, pareto_mask


class Standing(StrEnum):
    """Whether another cell beats a cell on quality and cost, in the order in which their models get room."""

    FRONTIER = "frontier"  # none does so far
    INCOMPARABLE = "incomparable"  # it has no cost or no quality
    UNDECIDED = "undecided"  # one does, and seeds of either have not ended
    BEATEN = "beaten"  # one does for good


@dataclass(frozen=True)
class RankedCell:
    """A cell under one comparison key. `rank`: 0 for the cheapest that is good enough, then the others by
    quality, best first. `ended`: all planned seeds have. `seeds`: finished trials, best on dev first; with
    folds several of a seed, and last those of seeds that have no score, because folds are missing or ran on
    different set-ups."""

    cell: Cell
    standing: Standing
    rank: int
    ended: bool
    seeds: tuple[TrialRecord, ...]


class FrontierSoFar:
    """The newest records of each cell. `put` replaces those of a cell. `examples_of` as the report reads it:
    of folds alone, whose common score may need it."""

    def __init__(self, sweep: SweepRecord, examples_of: ExamplesOf) -> None:
        self._sweep, self._examples_of = sweep, examples_of
        self._cells: dict[str, dict[Cell, CellResults]] = {}  # by task
        self._classes: dict[str, KnownClasses] = {}  # by task
        self._finished: dict[Cell, tuple[TrialRecord, ...]] = {}

    def put(self, cell: Cell, records: Collection[TrialRecord]) -> None:
        """`records`: one for each planned seed of the cell, or for each fold of one."""
        results = CellResults(cell, self._sweep.tasks[cell.task])
        for record in records:
            results.add(record, of_folds(record, self._examples_of), self._sweep.standalone)
            if record.outcome is not None:
                self._classes.setdefault(cell.task, KnownClasses()).add(record.planned, record.outcome)
        self._cells.setdefault(cell.task, {})[cell] = results
        self._finished[cell] = tuple(r for r in records if r.state is TrialState.FINISHED)

    def ranked(self, task: str, *, retries: bool) -> list[RankedCell]:
        """Return the cells of a task for each comparison key; each finished trial is named once. `retries`:
        failed trials may run again, so that they have not ended."""
        cells = self._cells.get(task, {})
        spec, comparisons = self._sweep.tasks[task], comparisons_of(cells.values())
        guessed = guess(spec, self._classes[task].counts if task in self._classes else None).scores
        counting = Counting(self._sweep.failures, spec.metric, guessed)
        points = points_of(list(cells.values()), (), comparisons, self._sweep, counting)
        states = {TrialState.FINISHED} if retries else {TrialState.FINISHED, TrialState.FAILED}
        ended = {
            cell
            for cell, results in cells.items()
            if sum(results.states[state] for state in states) == results.planned
        }
        ranked = [
            one
            for key, comparison in comparisons.items()
            for one in self._under(task, key, [p for p in points if p.comparison == comparison.label], ended)
        ]
        return self._with_the_rest(ranked, cells, ended)

    def _with_the_rest(
        self, ranked: Sequence[RankedCell], cells: Collection[Cell], ended: Collection[Cell]
    ) -> list[RankedCell]:
        """Add the finished folds that none of these names: to the first of their cell, else as a cell of its
        own."""
        named = {trial.name for one in ranked for trial in one.seeds}
        rest = {
            cell: tuple(reversed(by_dev(left)))
            for cell in cells
            if (left := [trial for trial in self._finished[cell] if trial.name not in named])
        }
        complete = [replace(one, seeds=(*one.seeds, *rest.pop(one.cell, ()))) for one in ranked]
        complete += [
            RankedCell(cell, Standing.INCOMPARABLE, len(ranked), cell in ended, trials)
            for cell, trials in rest.items()  # those that are left
        ]
        return complete

    def _under(
        self, task: str, key: Key, points: Sequence[Point], ended: Collection[Cell]
    ) -> Iterator[RankedCell]:
        target = NEAR if self._sweep.good_enough is None else self._sweep.good_enough.of(task)
        enough = cheapest_enough([cost_and_quality(point) for point in points], target)
        first = None if enough is None else points[enough]
        beaten = _beaten_for_good([point for point in points if point.cell in ended])
        ordered = sorted(points, key=lambda p: (p is not first, -_quality(p), p.name))
        for rank, point in enumerate(ordered):
            seeds = [t for t in self._finished[point.cell] if t.outcome and key_of(t, t.outcome) == key]
            yield RankedCell(
                cell=point.cell,
                standing=_standing(point, beaten),
                rank=rank,
                ended=point.cell in ended,
                seeds=tuple(reversed(by_dev(seeds))),
            )


def of_folds(record: TrialRecord, examples_of: ExamplesOf) -> ExamplesOf:
    """Return what reads the scores of documents, of a fold; of another trial they change no score."""
    return examples_of if record.planned.fold is not None else lambda attempt: None


def _beaten_for_good(ended: Sequence[Point]) -> set[Cell]:
    """Return the cells that one of these beats: no result of another trial changes that."""
    flags = pareto_mask(as_costs([cost_and_quality(point) for point in ended])).tolist()
    return {point.cell for point, flag in zip(ended, flags, strict=True) if _is_complete(point) and not flag}


def _standing(point: Point, beaten: Collection[Cell]) -> Standing:
    if point.frontier:
        return Standing.FRONTIER
    if not _is_complete(point):
        return Standing.INCOMPARABLE
    return Standing.BEATEN if point.cell in beaten else Standing.UNDECIDED


def _is_complete(point: Point) -> bool:
    return all(value is not None and math.isfinite(value) for value in cost_and_quality(point))


def _quality(point: Point) -> float:
    return cost_and_quality(point)[1] or 0.0
