"""The report from the ledger: aggregate over seeds, find the frontier, say what is missing."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.contracts.backbone import MadeWeights
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.metrics import METRICS
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report import wording
from orchestrator.report.model import FailedTrial, Refusal, Report, TaskReport
from orchestrator.report.points import comparisons_of, points_of
from orchestrator.report.results import CellResults
from orchestrator.tracking.accounting import Tally

_INTERVALS = (
    "Intervals are 95 % t-intervals over seeds: how much the mean would move with other seeds. "
    "They say nothing about another test set."
)
_COST = (
    "Cost is what a trial takes without interruption: allocated devices × time in its phases. "
    "What failures and preemptions cost stands under the totals."
)


_CAPPED = {
    "train": "Trained on {used:,} of the {there:,} training examples (train_rows).",
    "dev": "The best checkpoint was chosen on {used:,} of the {there:,} dev examples (dev_rows).",
}


class _Collected:
    """What one pass over the records leaves."""

    def __init__(self) -> None:
        self.cells: dict[Cell, CellResults] = {}
        self.capped: dict[str, set[tuple[str, int, int]]] = {}  # task -> (split, rows used, rows there)
        self.failed: list[FailedTrial] = []
        self.stale: list[str] = []
        self.unfinished: list[str] = []
        self.until: float | None = None
        self.tally = Tally()

    def add(self, record: TrialRecord) -> None:
        cell = record.planned.cell
        self.tally.add(record)
        self.cells.setdefault(cell, CellResults(cell)).add(record)
        if record.state is TrialState.STALE:
            self.stale.append(record.name)
        elif record.state in (TrialState.UNFINISHED, TrialState.NEW):
            self.unfinished.append(record.name)
        outcome = record.outcome
        if outcome is None:
            return
        self.until = max(self.until or outcome.ended_at, outcome.ended_at)
        for split in _CAPPED:
            used, there = outcome.rows.get(split), outcome.rows.get(f"{split}_available")
            if used is not None and there is not None and used < there:
                self.capped.setdefault(cell.task, set()).add((split, used, there))
        if record.state is TrialState.FAILED and outcome.failure is not None:
            failure = outcome.failure.model_dump(include={"kind", "phase", "message", "places"})
            self.failed.append(FailedTrial(trial=record.name, attempts=len(record.current), **failure))


def build_report(
    sweep: SweepRecord, trials: Iterable[TrialRecord], removed: Iterable[TrialRecord] = ()
) -> Report:
    """`trials` as `Ledger.trials()` gives them, `removed` as `Ledger.removed()` does: only its cost counts.

    Works on an empty or partial ledger. Depends on nothing else: no clock, no disk.
    """
    found = _Collected()
    for record in trials:
        found.add(record)
    for record in removed:
        found.tally.add(record, planned=False)
    return Report(
        sweep=sweep.name,
        question=sweep.question,
        frontier_version=sweep.frontier_version,
        results_until=found.until,
        notices=_notices(sweep, found),
        tasks=tuple(_task(task, sweep, found) for task in sweep.tasks.values()),
        refused=tuple(Refusal(cell=r.cell.name, reason=r.reason) for r in sweep.refused),
        failed=tuple(found.failed),
        stale=tuple(found.stale),
        unfinished=tuple(found.unfinished),
        totals=found.tally.totals(len(sweep.refused)),
        provenance=sweep.provenance,
        config=sweep.config,
    )


def _task(task: TaskSpec, sweep: SweepRecord, found: _Collected) -> TaskReport:
    cells = [c for c in found.cells.values() if c.cell.task == task.name]
    comparisons = comparisons_of(cells)
    refused = [r for r in sweep.refused if r.cell.task == task.name]
    points = points_of(cells, refused, comparisons, sweep)
    title = METRICS[task.metric].title
    return TaskReport(
        task=task.name,
        title=task.title,
        kind=task.kind,
        metric=task.metric,
        metric_title=title,
        invented=task.invented,
        notes=_notes(task, found, len(comparisons)),
        comparisons=tuple(comparisons.values()),
        answers=wording.answers(title, tuple(comparisons.values()), points),
        points=points,
    )


def _notes(task: TaskSpec, found: _Collected, comparisons: int) -> tuple[str, ...]:
    notes = []
    if task.invented:
        notes.append("The text of this task is invented: these scores say nothing about medicine.")
    if task.note:
        notes.append(task.note)
    for split, used, there in sorted(found.capped.get(task.name, ())):
        notes.append(_CAPPED[split].format(used=used, there=there))
    if comparisons > 1:
        notes.append(
            f"Results come from {comparisons} different set-ups (device, precision or software). Their costs "
            "cannot be compared, so each set-up has its own frontier."
        )
    return tuple(notes)


def _notices(sweep: SweepRecord, found: _Collected) -> tuple[str, ...]:
    notices = []
    invented = [task.title for task in sweep.tasks.values() if task.invented]
    if invented:
        notices.append(
            f"The text of {_all(invented, len(sweep.tasks), 'tasks')} is invented. The scores show that the "
            "pipeline works and what it costs; they say nothing about medicine."
        )
    made = [b.name for b in sweep.backbones.values() if isinstance(b.weights, MadeWeights)]
    if made:
        notices.append(
            f"The weights of {_all(made, len(sweep.backbones), 'backbones')} were made on the spot by a "
            "short pre-training on invented text. They are no stand-in for published models."
        )
    partial = found.unfinished or found.stale
    if partial:
        notices.append(
            f"The sweep is not complete: {len(found.unfinished)} trials are not finished, and "
            f"{len(found.stale)} only have results of other settings, which are left out."
        )
    return (*notices, _INTERVALS, _COST)


def _all(names: list[str], total: int, what: str) -> str:
    return f"all {what}" if len(names) == total else ", ".join(sorted(names))
