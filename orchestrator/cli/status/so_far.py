"""The frontier of what has finished so far: means over the seeds that are in (with folds, all of whose folds
are), no intervals, no claims."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table

from orchestrator.cli.terminal import plain_table, styled
from orchestrator.contracts.compared_cost import compared_device_seconds
from orchestrator.contracts.ledger import TrialRecord, device_unit
from orchestrator.contracts.metrics import quality
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial import Cell
from orchestrator.report.results.cells import CellResults, ExamplesOf, key_of
from orchestrator.report.results.points import comparison_labels
from orchestrator.report.results.result import Key
from orchestrator.report.statistics.pareto import as_costs, pareto_mask

_MOST_ROWS = 8  # of a table: the best


@dataclass
class _Sum:
    seeds: int = 0
    quality: float = 0.0
    device_hours: float | None = 0.0  # None as soon as one seed has none


class SoFar:
    """`examples_of` as for `build_report`, asked for folds only."""

    def __init__(self, examples_of: ExamplesOf) -> None:
        self._examples_of = examples_of
        self._cells: dict[str, dict[Key, dict[str, _Sum]]] = {}  # by task: keys never share a cost axis
        self._folded: dict[Cell, CellResults] = {}  # of tasks with folds

    def add(self, record: TrialRecord, sweep: SweepRecord) -> None:
        """A finished trial; candidates of searches have no score on test and count for nothing here."""
        outcome = record.outcome
        if outcome is None or record.planned.candidate is not None:
            return
        cell = record.planned.cell
        if record.planned.fold is not None:
            self._add_fold(record, sweep)
            return
        cost = compared_device_seconds(record, sweep.standalone)
        hours = None if cost is None else cost / 3600
        self._add(cell, key_of(record, outcome), quality(outcome.metric, outcome.test), hours)

    def _add_fold(self, record: TrialRecord, sweep: SweepRecord) -> None:
        """The last one of a seed adds the seed."""
        cell = record.planned.cell
        folded = self._folded.setdefault(cell, CellResults(cell, sweep.tasks[cell.task]))
        folded.add(record, self._examples_of, sweep.standalone)
        for seed in folded.results:
            if seed.seed == record.planned.seed:
                self._add(cell, seed.key, seed.quality, seed.device_hours)

    def _add(self, cell: Cell, key: Key, score: float | None, hours: float | None) -> None:
        if score is None:
            return
        cells = self._cells.setdefault(cell.task, {}).setdefault(key, {})
        total = cells.setdefault(cell.label, _Sum())
        total.seeds += 1
        total.quality += score
        if hours is None or total.device_hours is None:
            total.device_hours = None
        else:
            total.device_hours += hours

    def tables(self, sweep: SweepRecord) -> list[Table]:
        tables = []
        for task, by_key in sorted(self._cells.items()):
            title = sweep.tasks[task].title if task in sweep.tasks else task
            for key, label in comparison_labels(by_key).items():
                tables.append(_table(f"{title}, frontier so far ({label})", key[0], by_key[key]))
        return tables


def _table(title: str, device: str, cells: dict[str, _Sum]) -> Table:
    names = list(cells)
    means = [
        (None if s.device_hours is None else s.device_hours / s.seeds, s.quality / s.seeds)
        for s in cells.values()
    ]
    flags = pareto_mask(as_costs(means)).tolist()  # a result without a cost is never on the frontier
    rows = sorted(
        (cost or 0.0, score, name) for (cost, score), name, on in zip(means, names, flags, strict=True) if on
    )
    numbers = ("quality", "seeds", device_unit(device))
    table = plain_table("model/domain/method", title=title, numbers=numbers)
    for cost, score, name in rows[-_MOST_ROWS:]:
        table.add_row(styled(name), f"{score:.3f}", str(cells[name].seeds), f"{cost:.5f}")
    return table
