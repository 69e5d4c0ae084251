"""Adds learning curves to a report. They are in the events of the attempts, which nothing else here reads:
so they are read for the few cells of a task that a reader looks at, however many thousands there are."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.contracts.ledger import AttemptRecord, TrialRecord
from orchestrator.contracts.metrics import quality
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report.analysis.curves import Curve, Evaluations, curve_values
from orchestrator.report.record import Report
from orchestrator.report.results.cells import key_of
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.task_report import TaskReport
from orchestrator.tracking.events import curves
from orchestrator.tracking.ledger import Ledger

MOST_CURVES = 8  # of a task


def with_curves(report: Report, ledger: Ledger) -> Report:
    """Add the curves of the frontier and of the best other cells, up to `MOST_CURVES` per task. Raises
    LedgerError where the events of an attempt cannot be read."""
    planned: dict[Cell, list[PlannedTrial]] = {}
    for trial in ledger.sweep().trials:
        planned.setdefault(trial.cell, []).append(trial)
    tasks = [_with_curves(task, planned, ledger) for task in report.tasks]
    return report.model_copy(update={"tasks": tuple(tasks)})


def _with_curves(task: TaskReport, planned: dict[Cell, list[PlannedTrial]], ledger: Ledger) -> TaskReport:
    kept: list[Curve] = []
    for point in task.points:  # the frontier first, then by quality
        if len(kept) == MOST_CURVES:
            break
        comparison = next((c for c in task.comparisons if c.label == point.comparison), None)
        if point.quality is None or comparison is None:
            continue
        trials = [ledger.trial(trial) for trial in planned.get(point.cell, ())]
        curve = _curve(task, point, [t for t in trials if _ran_under(t, comparison)])
        kept += [curve] if len(curve.values) > 1 else []
    return task.model_copy(update={"curves": tuple(kept)})


def _curve(task: TaskReport, point: Point, trials: list[TrialRecord]) -> Curve:
    return Curve(
        cell=point.name,
        domain=point.cell.domain,
        method=point.cell.method,
        comparison=point.comparison,
        values=curve_values([_evaluations(task, trial) for trial in trials], task.metric),
    )


def _ran_under(trial: TrialRecord, comparison: Comparison) -> bool:
    """Return whether the trial finished under this comparison key."""
    attempt = trial.decisive
    if trial.state is not TrialState.FINISHED or attempt is None or attempt.outcome is None:
        return False
    software = tuple(sorted(comparison.software.items()))
    return key_of(trial, attempt.outcome) == (comparison.device_type, comparison.precision, software)


def _evaluations(task: TaskReport, trial: TrialRecord) -> Evaluations:
    _, evaluations = curves(list(_until_the_end(trial)), steps=False)
    scored = [(event.step, quality(task.metric, event.metrics)) for event in evaluations]
    return [(step, value) for step, value in scored if value is not None]


def _until_the_end(trial: TrialRecord) -> Iterator[AttemptRecord]:
    """Yield the attempts that led to the result; later ones belong to no trial of the report."""
    for attempt in trial.current:
        yield attempt
        if attempt is trial.decisive:
            return
