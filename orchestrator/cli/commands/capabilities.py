"""`frontier capabilities`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.table import Table

from orchestrator.cli.terminal import Terminal
from orchestrator.config.capabilities import Capabilities, load_capabilities
from orchestrator.contracts.capability import Capability
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import ConfigError, Problem, did_you_mean

_HEADS = {"classification and relation": TaskKind.CLASSIFICATION, "ner": TaskKind.NER}


def show_capabilities(
    architecture: Annotated[str | None, typer.Option(help="Of this architecture only.")] = None,
    method: Annotated[str | None, typer.Option(help="Of this method only, with its variants.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
) -> None:
    """Which architecture takes which method for which kind of task, as measured; and why not."""
    table = load_capabilities()
    _refuse_unknown(table, architecture, method)
    rows = [
        row
        for row in table.rows.values()
        if architecture in (None, row.architecture) and method in (None, row.method, row.method.split("+")[0])
    ]
    if as_json:
        print(json.dumps([row.model_dump(mode="json") for row in rows], indent=1))
        return
    console = Terminal()
    reasons: list[str] = []
    for title, kind in _HEADS.items():
        console.print(f"{title}:")
        for part in _parts([row for row in rows if row.task_kind is kind], console.width):
            console.print(_grid(part, reasons))
    for number, reason in enumerate(reasons, start=1):
        console.print(f"{number:>3}  {reason}", highlight=False)


def _refuse_unknown(table: Capabilities, architecture: str | None, method: str | None) -> None:
    problems = []
    for noun, got, known in (
        ("architecture", architecture, table.architectures),
        ("method", method, table.methods),
    ):
        if got is not None and got not in known:
            problem = f"{got!r} is not in the table"
            problems.append(Problem("command line", noun, problem, did_you_mean(got, known)))
    if problems:
        raise ConfigError(problems)


def _parts(rows: list[Capability], width: int) -> Iterator[list[Capability]]:
    """The rows of as many architectures as stand side by side in a terminal of `width` characters."""
    room = width - max((len(row.method) for row in rows), default=0) - 1
    part: list[str] = []
    for name in sorted({row.architecture for row in rows}):
        if part and sum(len(other) + 1 for other in [*part, name]) > room:
            yield [row for row in rows if row.architecture in part]
            part = []
        part.append(name)
    yield [row for row in rows if row.architecture in part]


def _grid(rows: list[Capability], reasons: list[str]) -> Table:
    """Methods down, architectures across. A number stands for its reason, which is added to `reasons`."""
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
