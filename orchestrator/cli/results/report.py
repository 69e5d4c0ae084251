"""The report on the console, and the pages that show more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path
from textwrap import wrap

from rich.console import Console
from rich.table import Table

from orchestrator.cli.results.frontier import show_claims
from orchestrator.cli.results.replication import show_replication
from orchestrator.cli.results.what_if import show_what_if
from orchestrator.cli.steps import Steps
from orchestrator.cli.terminal import plain_table, styled
from orchestrator.contracts import layout
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.markdown import plain
from orchestrator.report import (
    FrontierRow,
    Report,
    build_report,
    frontier_rows,
    with_curves,
    write_changed_report,
    write_report,
)
from orchestrator.report.analysis.objectives import Objective
from orchestrator.report.analysis.ownership import WhatIf, marked_offers
from orchestrator.report.analysis.published import Published
from orchestrator.report.render.text import COLUMNS, LEGEND, frontier_marker
from orchestrator.report.statistics.summary import mirrored
from orchestrator.report.task_report import TaskReport
from orchestrator.report.text import over
from orchestrator.tracking.ledger import Ledger
from orchestrator.units import short_count, time_of_hours

_NARROW = 13  # letters of a heading
_MOST_DOMINATED = 6  # rows of a task on the console; the report has all


def report_of_ledger(
    ledger: Ledger,
    against: Published | None = None,
    axes: Sequence[tuple[Objective, ...]] = (),
    steps: Steps | None = None,
) -> Report:
    """Build a report from the records, without learning curves, and write nothing. `steps` hears how far it
    is."""
    sweep, steps = ledger.sweep(), steps or Steps()
    trials = _counted(ledger.trials(), len(sweep.trials), steps.begin("records read"))
    beside = chain(ledger.candidates(), ledger.removed())

    def at(done: float, total: float) -> None:
        if done == 0:
            steps.begin("tasks evaluated")
        steps.at(done, total)

    return build_report(sweep, trials, beside, against, ledger.examples, axes, at)


def _counted(
    records: Iterable[TrialRecord], total: int, at: Callable[[float, float], None]
) -> Iterator[TrialRecord]:
    for number, record in enumerate(records):
        at(number, total)
        yield record


def build_and_write(
    ledger: Ledger,
    against: Published | None = None,
    what_if: WhatIf | None = None,
    axes: Sequence[tuple[Objective, ...]] = (),
    *,
    only_changed: bool = False,
    steps: Steps | None = None,
) -> tuple[Report, Mapping[str, Path]]:
    """Build a report from the records and write its files, see `write_report`; with `only_changed`, leave
    files alone that would be the same.

    `axes` are further ones that frontiers are wanted on, quality first in each; `steps` hears how far it is.
    """
    steps = steps or Steps()
    built = report_of_ledger(ledger, against, axes, steps)
    steps.begin("drawing the report")
    report = with_curves(built, ledger)
    report = report.model_copy(update={"what_if": what_if and marked_offers(what_if, report.tasks)})
    if only_changed:
        return report, write_changed_report(report, ledger.directory)
    return report, write_report(report, ledger.directory / layout.REPORT)


def show_report(report: Report, paths: Mapping[str, Path], console: Console) -> None:
    for notice in report.notices:
        console.print(notice, style="yellow", highlight=False)
    if any(frontier_marker(point) for task in report.tasks for point in task.points):
        console.print(f"{LEGEND}\n{COLUMNS}", highlight=False)
    by_name = {task.task: task for task in report.tasks}
    for name, rows in groupby(frontier_rows(report), key=lambda row: row.task):
        console.print()
        task = by_name[name]
        console.print(_table(task, list(rows)))
        for line in (*task.answers, *filter(None, [task.sizes]), *task.notes):
            console.print(line, highlight=False)
    show_claims(report, console)
    if report.replication is not None:
        show_replication(report.replication, console)
    if report.what_if is not None:
        show_what_if(report.what_if, console)
    for failed in report.failed:
        console.print(styled(failed.kind, "red"), f"{failed.trial}: {failed.message}", highlight=False)
    console.print()
    console.print(f"report:  {paths['html']}", highlight=False, soft_wrap=True)


def open_page(page: Path, console: Console) -> None:
    """Open a page in the browser of this machine; print how to see it where there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        console.print(
            "no browser was found here: copy that one file to a machine with a browser; it needs no other",
            highlight=False,
        )


def summary_note(report: Report) -> str:
    """Markdown of the answers, for the summary run."""
    return "\n".join(f"- **{plain(task.title)}**: {plain(' '.join(task.answers))}" for task in report.tasks)


def _table(task: TaskReport, rows: list[FrontierRow]) -> Table:
    """Return a table with the frontier first (marked), then the best of the dominated results, then what
    guessing gives."""
    unit = next((row.device_unit for row in rows if row.device_unit), "device-hours")
    table = plain_table(title=f"{task.title}: {task.metric_title}")
    interval = "\n".join(wrap(f"95 % {over(task.points)}", _NARROW))
    run = f"a run, on\none {unit.removesuffix('-hours')}"
    for name in ("", "model/domain/method", "quality", interval, "seeds", run, "trained"):
        left = name in ("", "model/domain/method")
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    shown = [row for row in rows if row.frontier]
    others = [row for row in rows if not row.frontier]
    for row in shown + others[:_MOST_DOMINATED]:
        table.add_row(*_cells(row, loss=task.loss), style="" if row.frontier else "dim")
    if len(others) > _MOST_DOMINATED:
        table.add_row("", f"… {len(others) - _MOST_DOMINATED} more in the report", style="dim")
    if (floor := task.guessing.get(task.metric)) is not None:
        table.add_row("", "guessing", f"{floor:.3f}", style="dim")
    return table


def _cells(row: FrontierRow, *, loss: bool) -> tuple[str, ...]:
    """`loss`: quality is a loss or an error with its sign changed."""
    if row.quality is None:
        return "", row.cell, f"{row.state}", "", str(row.seeds), "", row.reason or ""
    ends = mirrored(row.interval) if loss else row.interval
    interval = "" if ends is None else "{:.3f}-{:.3f}".format(*ends)
    cost = "" if row.device_hours is None else time_of_hours(row.device_hours)
    trained = "" if row.trainable_parameters is None else short_count(row.trainable_parameters)
    return (
        row.mark,
        f"{row.cell} ({row.failures})" if row.failures else row.cell,
        f"{-row.quality if loss else row.quality:.3f}",
        interval,
        str(row.seeds),
        cost,
        trained,
    )
