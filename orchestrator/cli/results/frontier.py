"""`frontier report --axes quality,…`: frontiers on other axes, on the console; and the claims of a report."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from orchestrator.cli.terminal import plain_table
from orchestrator.errors import ConfigError, Problem, did_you_mean
from orchestrator.report import Report
from orchestrator.report.analysis.claim_text import below_title
from orchestrator.report.analysis.frontiers import FrontierMember, FrontierView
from orchestrator.report.analysis.objectives import OBJECTIVES, Objective
from orchestrator.units import quantity

_WHERE = "--axes"
_MOST = 3
_NAMES = tuple(objective.value for objective in Objective)
_LINES = 4  # claims of a task on the console; the report has all
_CORRECTED = "Each p is corrected for the number of comparisons of its kind, by Holm's method."


def parse_axes(words: str) -> tuple[Objective, ...]:
    """Two or three axes, quality first. Raises ConfigError with every mistake in `words`."""
    names = [word.strip() for word in words.split(",") if word.strip()]
    problems = [
        Problem(_WHERE, "", f"unknown axis, got {name!r}", did_you_mean(name, _NAMES))
        for name in names
        if name not in _NAMES
    ]
    axes = tuple(dict.fromkeys(Objective(name) for name in names if name in _NAMES))
    if not problems:
        if Objective.QUALITY not in axes:
            problems.append(
                Problem(_WHERE, "", "quality is missing", f"say {_WHERE} {','.join(['quality', *names])}")
            )
        if len(axes) != len(names) or not 2 <= len(axes) <= _MOST:
            problems.append(
                Problem(_WHERE, "", f"got {words!r}", "name quality and one or two other axes, each once")
            )
    if problems:
        raise ConfigError(problems)
    return (Objective.QUALITY, *(objective for objective in axes if objective is not Objective.QUALITY))


def show_frontiers(report: Report, axes: tuple[Objective, ...], console: Console) -> None:
    """Print the frontier of each task and comparison key on the given axes."""
    for task in report.tasks:
        for view in task.frontiers:
            if view.axes == axes:
                console.print()
                console.print(_table(task.title, view))
                for line in _lines(view):
                    console.print(line, highlight=False)


def show_claims(report: Report, console: Console) -> None:
    """Show the groups of each task and its first claims that hold."""
    for task in report.tasks:
        claims = [claim for family in task.claims for claim in family.claims]
        held = [below_title(claim.sentence, task.title) for claim in claims if claim.distinguishable]
        lines = [group.sentence for group in task.groups if group.best] + held[:_LINES]
        if len(held) > _LINES:
            more = quantity(len(held) - _LINES, "more difference")
            lines.append(f"… {more} held as well; the report has all that were tested.")
        if lines:
            console.print()
            console.print(f"{task.title}: what holds", style="bold", highlight=False)
        if held:
            console.print(_CORRECTED, highlight=False)
        for line in lines:
            console.print(line, highlight=False)


def _table(title: str, view: FrontierView) -> Table:
    on = "" if view.comparison is None else f", on {view.comparison}"
    heading = f"{title}: frontier of {' and '.join(OBJECTIVES[objective][0] for objective in view.axes)}{on}"
    units = [f"{objective.value} [{OBJECTIVES[objective][1]}]" for objective in view.axes]
    table = plain_table("model/domain/method", title=heading, numbers=[*units, "probability"])
    for member in view.members:
        table.add_row(*_cells(member, view.axes))
    return table


def _cells(member: FrontierMember, axes: Sequence[Objective]) -> tuple[str, ...]:
    figures = [
        f"{value:.3f}" if objective is Objective.QUALITY else f"{value:,.6g}"
        for objective, value in ((objective, member.figures[objective]) for objective in axes)
    ]
    chance = "" if member.probability is None else f"{100 * member.probability:.0f} %"
    return member.cell, *figures, chance


def _lines(view: FrontierView) -> list[str]:
    lines = []
    if not view.members:
        lines.append("No cell has a figure on all of these axes.")
    if view.knee is not None:
        lines.append(f"knee: {view.knee}")
    lines += [f"least within {w.points:g} points of the best: {w.cell}" for w in view.within]
    if view.hypervolume is not None:
        lines.append(view.hypervolume.sentence)
    return [*lines, *view.notes]
