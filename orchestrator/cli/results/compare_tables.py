"""`frontier compare` on the console: a table per task, then what changed and what is not comparable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rich.console import Console

from orchestrator.cli.results.compare import ComparedRow, ComparedSide, Side
from orchestrator.cli.terminal import plain_table, styled
from orchestrator.report.statistics.summary import mirrored
from orchestrator.units import (
    MISSING,
    on_one_device,
    quantity,
    ratio,
    signed,
    signed_points,
    time_of_hours,
)

_MOST_NAMES = 4

_Lines = Literal["changed", "quality_not_comparable", "cost_not_comparable"]


def show_comparison(rows: Sequence[ComparedRow], first: Side, second: Side, console: Console) -> None:
    """Print the rows of `compare`."""
    if not any(row["first"] is not None and row["second"] is not None for row in rows):
        console.print(
            styled("nothing to compare", "yellow"),
            "no cell is in both sweeps: a model, a domain, a method and a task of the same names",
            highlight=False,
        )
        return
    for task in dict.fromkeys(row["task"] for row in rows):
        _show_task(task, [row for row in rows if row["task"] == task], first, second, console)
    _show_lines("changed", "changed", rows, console)
    _show_lines("quality cannot be compared", "quality_not_comparable", rows, console)
    _show_lines("cost cannot be compared", "cost_not_comparable", rows, console)
    absent_in_second = [row for row in rows if row["second"] is None]
    absent_in_first = [row for row in rows if row["first"] is None]
    for side, missing in ((first, absent_in_second), (second, absent_in_first)):
        if missing:
            console.print(f"only in {side.name}: {_cells(missing, rows)}", highlight=False)
    console.print(
        "Intervals are 95 % over seeds and test documents, for all cells of a sweep's task at once. The "
        "differences are not tested: to test two recipes, put both into one sweep.",
        style="dim",
        highlight=False,
    )


def _show_task(task: str, rows: Sequence[ComparedRow], first: Side, second: Side, console: Console) -> None:
    titles = [side.tasks[task] for side in (first, second) if task in side.tasks]
    metrics = list(dict.fromkeys(report.metric_title for report in titles))
    table = plain_table(title=f"{titles[0].title}: {' against '.join(metrics)}")
    table.add_column("model/domain/method", overflow="fold")
    for name in (
        f"quality\n{first.name}",
        f"\n{second.name}",
        "difference" if titles[0].loss else "points",
        f"a run\n{first.name}",
        f"\n{second.name}",
        "cost",
    ):
        table.add_column(name, justify="right")
    for row in rows:
        sides = row["first"], row["second"]
        table.add_row(
            row["cell"],
            *(_quality(side, loss=titles[0].loss) for side in sides),
            _difference(row["quality_difference"], loss=titles[0].loss),
            *map(_run, sides),
            MISSING if row["cost_ratio"] is None else ratio(row["cost_ratio"]),
        )
    console.print(table)
    units = {side["device_unit"] for row in rows for side in (row["first"], row["second"]) if side}
    if named := sorted(on_one_device(unit) for unit in units if unit):
        console.print(f"a run: the time that one training run takes {' or '.join(named)}", style="dim")
    console.print()


def _difference(value: float | None, *, loss: bool) -> str:
    if value is None:
        return MISSING
    return signed(-value) if loss else signed_points(value)


def _quality(side: ComparedSide | None, *, loss: bool) -> str:
    """`loss`: quality is a loss or an error with its sign changed."""
    if side is None:
        return "not planned"
    if side["quality"] is None:
        return str(side["state"])
    ends = side["interval"] if side["interval"] is None or not loss else mirrored(side["interval"])
    interval = "" if ends is None else "\n{:.3f}-{:.3f}".format(*ends)
    return f"{-side['quality'] if loss else side['quality']:.3f}{interval}"


def _run(side: ComparedSide | None) -> str:
    return MISSING if side is None else time_of_hours(side["device_hours"])


def _show_lines(title: str, key: _Lines, rows: Sequence[ComparedRow], console: Console) -> None:
    """Print each line once, with the cells that it is true of."""
    both = [row for row in rows if row["first"] is not None and row["second"] is not None]
    for line in dict.fromkeys(line for row in both for line in row[key]):
        cells = _cells([row for row in both if line in row[key]], both)
        style = "" if key == "changed" else "yellow"
        console.print(styled(f"{title}:", style), f"{line} ({cells})", highlight=False)


def _cells(rows: Sequence[ComparedRow], of: Sequence[ComparedRow]) -> str:
    if len(rows) == len(of) > 1:
        return "all cells"
    if len(rows) > _MOST_NAMES:
        return quantity(len(rows), "cell")
    return _joined(f"{row['cell']}/{row['task']}" for row in rows)


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)
