"""Composite scores of a table of points, or of a sweep that has run."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from orchestrator.cli.cluster_options import NO_OPTIONS, ClusterOptions
from orchestrator.cli.paths import ledger_of
from orchestrator.cli.terminal import plain_table
from orchestrator.errors import ConfigError, Problem, did_you_mean
from orchestrator.report import build_report
from orchestrator.report.record import Report
from orchestrator.report.scores.efficiency import Preset, Scores, score
from orchestrator.report.scores.points import points_to_score
from orchestrator.report.scores.table import read_score_points


def scores_and_notes(
    source: str, name: str, storage: str, task: str | None, where: ClusterOptions = NO_OPTIONS
) -> tuple[Scores, tuple[str, ...]]:
    """Scores and what to say about the points. `source` is a CSV file, or a sweep by name or directory, of
    `where`; `name` that of a preset. Raises ConfigError."""
    if name not in list(Preset):
        problem = f"there is no preset {name!r}"
        raise ConfigError([Problem("--preset", "", problem, did_you_mean(name, map(str, Preset)))])
    preset = Preset(name)
    file = Path(source)
    if file.is_file() or file.suffix == ".csv":
        if task is not None:
            fix = "leave --task out, or name a sweep instead of a file"
            raise ConfigError([Problem("--task", "", f"a table has no tasks, got {task!r}", fix)])
        return score(preset, read_score_points(file, preset)), ()
    ledger = ledger_of(source, storage, where)
    return score_sweep(build_report(ledger.sweep(), ledger.trials()), preset, task)


def score_sweep(report: Report, preset: Preset, task: str | None) -> tuple[Scores, tuple[str, ...]]:
    """Score one task: the only one, or the one that `task` names."""
    if preset is not Preset.HOLISTIC:
        problem = f"{preset} needs FLOPs, and the points of a sweep are scored without"
        fix = "use holistic, or give a CSV file with them (`frontier ledger SWEEP --json` has FLOPs by phase)"
        raise ConfigError([Problem("--preset", "", problem, fix)])
    by_name = {task_report.task: task_report for task_report in report.tasks}
    if task is None and len(by_name) != 1:
        fix = f"name one with --task: {', '.join(by_name)}"
        raise ConfigError([Problem("--task", "", f"{report.sweep} has {len(by_name)} tasks", fix)])
    if task is not None and task not in by_name:
        problem = f"{report.sweep} has no task {task!r}"
        raise ConfigError([Problem("--task", "", problem, did_you_mean(task, by_name))])
    task_report = by_name[task] if task is not None else report.tasks[0]
    points, notes = points_to_score(task_report)
    if not points:
        problem = "no finished point has all the figures that the score needs"
        raise ConfigError(
            [Problem(task_report.task, "", problem, "let the sweep finish, or look at its report")]
        )
    return score(preset, points), notes


def scores_json(scores: Scores) -> list[dict[str, object]]:
    return [s.model_dump() for s in scores.scores]


def show_scores(scores: Scores, notes: tuple[str, ...], console: Console) -> None:
    """Best first; below it the set that the figures belong to."""
    table = plain_table(title=f"{scores.preset} score")
    for name in ("point", "raw", "rescaled"):
        table.add_column(name, justify="left" if name == "point" else "right", overflow="fold")
    first = float("inf")  # no finite number: nothing is spent
    for s in sorted(scores.scores, key=lambda s: first if s.raw is None else s.raw, reverse=True):
        raw, rescaled = ("none" if x is None else f"{x:.6g}" for x in (s.raw, s.rescaled))
        table.add_row(s.name, raw, rescaled)
    console.print(table)
    tell_set(scores, notes, console)


def tell_set(scores: Scores, notes: tuple[str, ...], console: Console) -> None:
    """Show the normalisation set, and the warnings. Scores are never shown without them: they would mean
    nothing."""
    what = f"Normalisation set: {scores.points} points. Add or drop one, and every score can move."
    for line in (what, *(f"  {text}" for text in scores.normalisation), *notes):
        console.print(line, highlight=False)
    for line in scores.warnings:
        console.print(f"warning: {line}", style="yellow", highlight=False)
