"""`frontier plan CONFIG --explain CELL`: the values of one cell, and where each comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestrator.cli.terminal import plain_table, styled
from orchestrator.config.explain import Explained, KeyOrigin, explain
from orchestrator.errors import ConfigError, Problem, did_you_mean
from orchestrator.planning import Plan
from orchestrator.planning.steps import optimiser_steps


def explain_json(plan: Plan, asked: str) -> dict[str, object]:
    """Stable keys: cell, backbone, method, task, optimiser_steps, recipe, settings; of each of the last two a
    list of {key, value, source, in, file, line}. Raises ConfigError where there is no such cell."""
    name, recipe, settings = _explained(plan, asked)
    cell = plan.cells[name]
    return {
        "cell": name,
        "backbone": cell.backbone.name,
        "method": cell.variant.spec.entry,
        "task": cell.task.spec.name,
        "optimiser_steps": optimiser_steps(plan)[name],
        "recipe": [_json(value) for value in recipe],
        "settings": [_json(value) for value in settings],
    }


def show_explained(plan: Plan, asked: str, console: Console) -> None:
    """Raises ConfigError where there is no such cell."""
    name, recipe, settings = _explained(plan, asked)
    steps = optimiser_steps(plan)[name]
    trained = "" if steps is None else f", {steps:,} optimiser steps"
    console.print(styled(name, "bold"), trained, sep="", highlight=False)
    for title, values in (("settings of the method", settings), ("recipe", recipe)):
        if values:
            console.print(_table(title, values))


def _explained(plan: Plan, asked: str) -> tuple[str, list[Explained], list[Explained]]:
    name = _cell_named(plan, asked)
    planned = next(cell for cell in plan.sweep.grid.cells if cell.cell.name == name)
    return name, *explain(plan.sweep, planned, plan.cells[name])


def _cell_named(plan: Plan, asked: str) -> str:
    """Find a cell by its name, the name of a trial, or the first parts of a name that only one cell has."""
    cell_name = asked.partition("/seed-")[0].strip("/")
    refused = {refused.cell.name: refused.reason for refused in plan.refused}
    if cell_name in refused:
        problem, fix = f"{cell_name} is refused: {refused[cell_name]}", "name a cell that runs"
        raise ConfigError([Problem("command line", "--explain", problem, fix)])
    matches = [name for name in plan.cells if name == cell_name or name.startswith(f"{cell_name}/")]
    if len(matches) != 1:
        problem = f"names {len(matches)} cells" if matches else "no cell of this sweep"
        fix = did_you_mean(cell_name, matches or plan.cells)
        raise ConfigError([Problem("command line", "--explain", f"{problem}, got {asked!r}", fix)])
    return matches[0]


def _json(explained: Explained) -> dict[str, object]:
    origin = dataclasses.asdict(explained.origin)
    file = None if explained.origin.file is None else str(explained.origin.file)
    record = {"source": origin["source"], "in": origin["key"] or None, "file": file, "line": origin["line"]}
    return {"key": explained.key, "value": explained.value, **record}


def _table(title: str, values: Sequence[Explained]) -> Table:
    table = plain_table(title, "value", "from")
    for explained in values:
        table.add_row(explained.key, _value(explained.value), _origin(explained.origin))
    return table


def _value(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _origin(origin: KeyOrigin) -> str:
    """`catalogue: full.yaml, line 2, recipe.learning_rate`."""
    file = [] if origin.file is None else [Path(origin.file).name]
    line = [] if origin.line is None else [f"line {origin.line}"]
    where = ", ".join([*file, *line, *([origin.key] if origin.key else [])])
    return f"{origin.source}: {where}" if where else origin.source
