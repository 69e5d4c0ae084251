"""The frontier of what has finished so far: means over the seeds that are in, no intervals, no claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.table import Table

from orchestrator.cli.terminal import plain_table, styled
from orchestrator.contracts.compared_cost import compared_device_seconds
from orchestrator.contracts.ledger import TrialRecord, device_unit
from orchestrator.contracts.metrics import quality
from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.report.results.cells import key_of
from orchestrator.report.results.points import labels_of
from orchestrator.report.results.result import Key
from orchestrator.report.statistics.pareto import as_costs, pareto_mask

_MOST_ROWS = 8  # of a table: the best


@dataclass
class _Sum:
    seeds: set[int] = field(default_factory=set)
    trials: int = 0  # with folds several of a seed
    quality: float = 0.0
    device_hours: float | None = 0.0  # None as soon as one seed has none


class SoFar:
    def __init__(self) -> None:
        self._cells: dict[str, dict[Key, dict[str, _Sum]]] = {}  # by task: keys never share a cost axis

    def add(self, record: TrialRecord, standalone: Mapping[str, Standalone]) -> None:
        """A finished trial; candidates of searches have no score on test and count for nothing here.
        `standalone`: the sweep's."""
        outcome = record.outcome
        if outcome is None or record.planned.candidate is not None:
            return
        score = quality(outcome.metric, outcome.test)
        if score is None:
            return
        cell = record.planned.cell
        cells = self._cells.setdefault(cell.task, {}).setdefault(key_of(record, outcome), {})
        total = cells.setdefault(cell.label, _Sum())
        total.seeds.add(record.planned.seed)
        total.trials += 1
        total.quality += score
        cost = compared_device_seconds(record, standalone)
        if cost is None or total.device_hours is None:
            total.device_hours = None
        else:
            total.device_hours += cost / 3600

    def tables(self, sweep: SweepRecord) -> list[Table]:
        tables = []
        for task, by_key in sorted(self._cells.items()):
            title = sweep.tasks[task].title if task in sweep.tasks else task
            for key, label in labels_of(by_key).items():
                tables.append(_table(f"{title}, frontier so far ({label})", key[0], by_key[key]))
        return tables


def _table(title: str, device: str, cells: dict[str, _Sum]) -> Table:
    names = list(cells)
    means = [
        (None if s.device_hours is None else s.device_hours / s.trials, s.quality / s.trials)
        for s in cells.values()
    ]
    flags = pareto_mask(as_costs(means)).tolist()  # a result without a cost is never on the frontier
    rows = sorted(
        (cost or 0.0, score, name) for (cost, score), name, on in zip(means, names, flags, strict=True) if on
    )
    numbers = ("quality", "seeds", device_unit(device))
    table = plain_table("model/domain/method", title=title, numbers=numbers)
    for cost, score, name in rows[-_MOST_ROWS:]:
        table.add_row(styled(name), f"{score:.3f}", str(len(cells[name].seeds)), f"{cost:.5f}")
    return table
