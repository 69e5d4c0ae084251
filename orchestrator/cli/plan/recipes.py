"""What a plan says of its recipes: learning rates, and cells that train for few steps."""

from __future__ import annotations

from collections import defaultdict

from rich.console import Console

from orchestrator.cli.terminal import styled
from orchestrator.planning import Plan
from orchestrator.planning.steps import (
    FEW_STEPS,
    enough_steps,
    optimiser_steps,
    with_few_steps,
    with_unknown_steps,
)
from orchestrator.units import quantity


def recipes_json(plan: Plan) -> dict[str, dict[str, object]]:
    """Return, by cell, the values that a score depends on most."""
    return {
        name: {"learning_rate": plan.cells[name].recipe.learning_rate, "optimiser_steps": steps}
        for name, steps in optimiser_steps(plan).items()
    }


def show_few_steps(plan: Plan, console: Console) -> None:
    if unknown := with_unknown_steps(plan):
        console.print(
            f"the number of optimiser steps of {quantity(len(unknown), 'cell')} is not known yet: "
            "`frontier stage` counts the rows",
            style="dim",
            highlight=False,
        )
    steps_by_cell = with_few_steps(plan)
    if not steps_by_cell:
        return
    low, high = min(steps_by_cell.values()), max(steps_by_cell.values())
    steps = f"{low} to {high}" if low < high else f"{low}"
    names = list(steps_by_cell)
    verb, possessive = ("trains", "its") if len(names) == 1 else ("train", "their")
    fewest = min(names, key=steps_by_cell.__getitem__)
    changes = [f"recipe.{c.key} from {c.now} to {c.enough}" for c in enough_steps(plan, fewest)]
    verbs = ("raise", "or lower")
    fix = ", ".join(f"{how} {change}" for how, change in zip(verbs, changes, strict=False))
    subject = f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
    console.print(
        styled("few steps", "yellow"),
        f"{quantity(len(names), 'cell')} {verb} for fewer than {FEW_STEPS} optimiser "
        f"steps ({steps}); {possessive} scores say little{f': {fix}' if fix else ''} ({subject})",
        highlight=False,
    )


def learning_rates(plan: Plan) -> dict[tuple[str, str, str], str]:
    """Return the learning rates of a row of the table: those of its tasks."""
    rates_by_row: dict[tuple[str, str, str], set[float]] = defaultdict(set)
    searched = set[tuple[str, str, str]]()
    for cell in plan.cells.values():
        key = (cell.cell.model, cell.cell.domain, cell.cell.method)
        if cell.tune is not None and "learning_rate" in cell.tune.space and cell.cell.name not in plan.tuned:
            searched.add(key)
        else:
            rates_by_row[key].add(cell.recipe.learning_rate)
    texts = {key: [f"{rate:g}" for rate in sorted(rates)] for key, rates in rates_by_row.items()}
    several = {key: ", ".join(w) if len(w) < 3 else f"{w[0]} to {w[-1]}" for key, w in texts.items()}
    return several | {key: f"{several[key]}, tuned" if key in several else "to be tuned" for key in searched}
