"""Which architecture supports which method: `frontier capabilities`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from orchestrator.config.capabilities import Capabilities, load_capabilities
from orchestrator.contracts.capability import Capability
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import ConfigError, Problem, did_you_mean

_HEADS = {"classification, relation, multilabel and regression": TaskKind.CLASSIFICATION, "ner": TaskKind.NER}


def select_rows(architecture: str | None, method: str | None) -> list[Capability]:
    """Return the rows of an architecture and of a method with its variants; None selects all.

    Raises ConfigError for a name that is not in the table.
    """
    table = load_capabilities()
    _refuse_unknown(table, architecture, method)
    return [
        row
        for row in table.rows.values()
        if architecture in (None, row.architecture) and method in (None, row.method, row.method.split("+")[0])
    ]


def show_capabilities(rows: Sequence[Capability], console: Console) -> None:
    """Print a table per kind of task, then the reasons that its numbers refer to."""
    reasons: list[str] = []
    for title, kind in _HEADS.items():
        console.print(f"{title}:")
        for part in _parts([row for row in rows if row.task_kind is kind], console.width):
            console.print(_grid(part, reasons))
    for number, reason in enumerate(reasons, start=1):
        console.print(f"{number:>3}  {reason}", highlight=False)


def _refuse_unknown(table: Capabilities, architecture: str | None, method: str | None) -> None:
    problems = []
    for noun, got, names in (
        ("architecture", architecture, table.architectures),
        ("method", method, table.methods),
    ):
        if got is not None and got not in names:
            problem = f"{got!r} is not in the table"
            problems.append(Problem("command line", noun, problem, did_you_mean(got, names)))
    if problems:
        raise ConfigError(problems)


def _parts(rows: list[Capability], width: int) -> Iterator[list[Capability]]:
    """Split the rows by architecture into tables that fit into `width` characters."""
    free = width - max((len(row.method) for row in rows), default=0) - 1
    part: list[str] = []
    for name in sorted({row.architecture for row in rows}):
        if part and sum(len(column) + 1 for column in [*part, name]) > free:
            yield [row for row in rows if row.architecture in part]
            part = []
        part.append(name)
    yield [row for row in rows if row.architecture in part]


def _grid(rows: list[Capability], reasons: list[str]) -> Table:
    """Return a table of methods by architectures. Numbers refer to reasons, which are added to `reasons`."""
    architectures = sorted({row.architecture for row in rows})
    cells = {(row.method, row.architecture): row for row in rows}
    grid = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("")
    for name in architectures:
        grid.add_column(name, justify="center", no_wrap=True)
    for method in sorted({row.method for row in rows}):
        grid.add_row(method, *(_mark(cells[method, name], reasons) for name in architectures))
    return grid


def _mark(row: Capability, reasons: list[str]) -> str:
    if row.supported:
        return "✓"
    if row.reason not in reasons:
        reasons.append(row.reason)
    return str(reasons.index(row.reason) + 1)
