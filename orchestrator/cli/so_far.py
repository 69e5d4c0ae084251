"""The frontier of what has finished so far: means over the seeds that are in, no intervals, no claims."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from orchestrator.contracts.ledger import TrialRecord, device_unit
from orchestrator.contracts.metrics import quality
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.report.frontier import on_frontier

_MOST_ROWS = 8  # of a task: the best

# Task, device type, precision: results of different ones never share a cost axis.
_Place = tuple[str, str, str]


@dataclass
class _Sum:
    seeds: int = 0
    quality: float = 0.0
    device_hours: float = 0.0


class SoFar:
    def __init__(self) -> None:
        self._cells: dict[_Place, dict[str, _Sum]] = {}

    def add(self, record: TrialRecord) -> None:
        """A finished trial; candidates of searches have no score on test and count for nothing here."""
        outcome, attempt = record.outcome, record.decisive
        if outcome is None or attempt is None or record.planned.candidate is not None:
            return
        score = quality(outcome.metric, outcome.test)
        if score is None:
            return
        precision = outcome.device.precision.value if outcome.device else ""
        cell = record.planned.cell
        cells = self._cells.setdefault((cell.task, attempt.device_type, precision), {})
        found = cells.setdefault(f"{cell.model}/{cell.domain}/{cell.method}", _Sum())
        found.seeds += 1
        found.quality += score
        found.device_hours += record.useful_device_seconds / 3600

    def tables(self, sweep: SweepRecord) -> list[Table]:
        return [_table(place, cells, sweep) for place, cells in sorted(self._cells.items())]


def _table(place: _Place, cells: dict[str, _Sum], sweep: SweepRecord) -> Table:
    task, device, precision = place
    names = list(cells)
    means = [(s.device_hours / s.seeds, s.quality / s.seeds) for s in cells.values()]
    flags = on_frontier(means)
    rows = sorted(
        (cost, score, name) for (cost, score), name, on in zip(means, names, flags, strict=True) if on
    )
    title = sweep.tasks[task].title if task in sweep.tasks else task
    table = Table(
        title=f"{title}, frontier so far ({device}{f', {precision}' if precision else ''})",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    table.add_column("model/domain/method", overflow="fold")
    for head in ("quality", "seeds", device_unit(device)):
        table.add_column(head, justify="right")
    for cost, score, name in rows[-_MOST_ROWS:]:
        table.add_row(Text(name), f"{score:.3f}", str(cells[name].seeds), f"{cost:.5f}")
    return table
