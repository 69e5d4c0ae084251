"""Which trial `frontier export` takes: the recommended cell or the named one, and one of its seeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.cli.results.named_cells import cells_named
from orchestrator.config.overrides import WHERE
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.errors import ConfigError, LedgerError, Problem, did_you_mean
from orchestrator.report import Report
from orchestrator.report.recommendation.picks import picks
from orchestrator.report.recommendation.summary import recommendations
from orchestrator.report.results.cells import key_of
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.results.seed_choice import by_dev
from orchestrator.report.task_report import TaskReport
from orchestrator.units import device_time, rounded_up


@dataclass(frozen=True)
class Chosen:
    """The cell with its figures, and the trial whose weights are taken; `how` it was chosen among seeds."""

    task: TaskReport
    point: Point
    comparison: Comparison
    trial: TrialRecord
    outcome: Outcome
    how: str


def choose(
    report: Report,
    trials: Iterable[TrialRecord],
    cell: str | None,
    budget: float | None,
    seed: str,
) -> Chosen:
    """Return the trial to export. `cell` is `model/domain/method/task`, without the task where only one task
    has such a cell, or a task for its recommended cell;
    `budget` the most device-hours of a training run; `seed` a number, `best` or `median` by the score on dev.
    Of several folds of a named seed it is the best on dev.

    Raises ConfigError where the words name nothing, or nothing is recommended.
    """
    tasks = {task.task: task for task in report.tasks}
    if cell is not None and cell not in tasks:
        task, point = _named(report, cell)
        if budget is not None:
            raise _problem("--at-budget", f"{cell} is named already", "remove --at-budget, or name a task")
    else:
        task = _only(report, tasks) if cell is None else tasks[cell]
        point = _recommended(report, task) if budget is None else _affordable(task, budget)
    finished = by_dev(
        trial for trial in trials if trial.planned.cell == point.cell and trial.state is TrialState.FINISHED
    )
    if named := [trial for trial in finished if str(trial.planned.seed) == seed]:
        return _of_trial(task, named[-1], ", as named")
    if seed not in ("best", "median"):
        seeds = ", ".join(map(str, sorted({trial.planned.seed for trial in finished})))
        problem = f"{point.cell.name} has no finished seed {seed!r}"
        raise _problem("--seed", problem, f"use best, median or one of: {seeds}")
    comparison = next(c for c in task.comparisons if c.label == point.comparison)
    ranked = [trial for trial in finished if _is_of(trial, comparison)]
    taken = ranked[-1] if seed == "best" else ranked[(len(ranked) - 1) // 2]
    noun = "seed" if point.folds is None else "fold"
    of = f"of {len(ranked)} {noun}s" if len(ranked) > 1 else f"of one {noun}"
    return _of_trial(task, taken, f", the {seed} {of} on dev")


def chosen_trial(report: Report, trial: TrialRecord) -> Chosen:
    """Return a finished trial with the figures of its cell. Raises LedgerError where the report is older."""
    task = next((task for task in report.tasks if task.task == trial.planned.cell.task), None)
    if task is None or not any(_is_of(trial, comparison) for comparison in task.comparisons):
        fix = "the same command does once more what was left out"
        raise LedgerError(f"{trial.name}: has finished since the report was written\n    -> {fix}")
    return _of_trial(task, trial)


def _of_trial(task: TaskReport, trial: TrialRecord, how: str = "") -> Chosen:
    """Return a finished trial with its point: of seeds on other devices, or with other versions of libraries,
    a cell has other points."""
    assert trial.outcome is not None
    comparison = next(c for c in task.comparisons if _is_of(trial, c))
    of_cell = (point for point in task.points if point.cell == trial.planned.cell)
    point = next(point for point in of_cell if point.comparison == comparison.label)
    return Chosen(task, point, comparison, trial, trial.outcome, f"{_words(trial)}{how}")


def _words(trial: TrialRecord) -> str:
    """`seed 12`, or `seed 12 with fold 2 of 5 left out`."""
    fold = trial.planned.fold
    seed = f"seed {trial.planned.seed}"
    return seed if fold is None else f"{seed} with fold {fold.number} of {fold.of} left out"


def _only(report: Report, tasks: dict[str, TaskReport]) -> TaskReport:
    if len(tasks) == 1:
        return next(iter(tasks.values()))
    names = [pick.pick.cell.name for pick in picks(report)] or list(tasks)
    fix = f"name a task, or a cell, say {names[0]}; tasks: {', '.join(tasks)}"
    raise _problem("CELL", f"{report.sweep} has {len(tasks)} tasks, each with an answer of its own", fix)


def _named(report: Report, cell: str) -> tuple[TaskReport, Point]:
    points = [(task, point) for task in report.tasks for point in task.points]
    scored = [(t, p) for t, p in points if p.comparison is not None and p.seeds]
    named = cells_named(cell, (point.cell for _, point in scored))
    if len(named) == 1:
        return next((task, point) for task, point in scored if point.cell == named[0])
    names = [one.name for one in named or dict.fromkeys(point.cell for _, point in scored)]
    if named:
        raise _problem("CELL", f"{cell} names {len(named)} cells", f"name one of them: {', '.join(names)}")
    if cells_named(cell, (point.cell for _, point in points)):
        raise _problem("CELL", f"no seed of {cell} is finished", "let the sweep finish, or name another cell")
    problem = f"{report.sweep} has no cell {cell!r}"
    raise _problem("CELL", problem, did_you_mean(cell, [*names, *(task.task for task in report.tasks)]))


def _recommended(report: Report, task: TaskReport) -> Point:
    pick = next((p for p in picks(report) if p.task.task == task.task), None)
    if pick is None:
        fix = "let the sweep finish: `frontier status` shows how far it is"
        raise _problem("CELL", f"no trial of {task.task} is finished", fix)
    if pick.unlearned is not None:
        fix = f"name a cell to export it anyway, say {pick.pick.cell.name}"
        raise _problem("CELL", f"nothing is recommended on {task.task}: {pick.unlearned}", fix)
    return pick.pick


def _affordable(task: TaskReport, budget: float) -> Point:
    if len(task.comparisons) > 1:
        labels = "; ".join(comparison.label for comparison in task.comparisons)
        problem = f"{task.task} has {len(task.comparisons)} comparisons, whose hours are not alike: {labels}"
        raise _problem("--at-budget", problem, "name a cell: `frontier report` shows what each costs")
    rows = [(row, c) for c in task.comparisons for row in recommendations(task, c)]
    affordable = [row for row, _ in rows if row.cost <= budget]
    if affordable:
        return affordable[-1].point
    if not rows:
        raise _problem("--at-budget", f"nothing is recommended on {task.task}", "name a cell")
    row, comparison = min(rows, key=lambda each: each[0].cost)
    problem = f"no model of {task.task} trains within {budget:g} {comparison.unit}"
    cheapest = f"{rounded_up(row.cost)} ({device_time(row.cost, comparison.unit)})"
    raise _problem("--at-budget", problem, f"give at least {cheapest}, which is {row.point.name}")


def _is_of(trial: TrialRecord, comparison: Comparison) -> bool:
    if trial.outcome is None:
        return False
    device, precision, software = key_of(trial, trial.outcome)
    return (device, precision, dict(software)) == (
        comparison.device_type,
        comparison.precision,
        comparison.software,
    )


def _problem(key: str, problem: str, fix: str) -> ConfigError:
    return ConfigError([Problem(WHERE, key, problem, fix)])
