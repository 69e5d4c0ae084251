"""How many optimiser steps the cells of a plan train for, and which of them train for few."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.contracts.backbone import RandomWeights
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.contracts.vocabulary import Split
from orchestrator.planning.plan import Plan
from orchestrator.planning.workload import epoch_examples, training_steps

FEW_STEPS = 100  # below it a score says more about the length of the training than about the method
_LEAST_BATCH = 4  # examples; a smaller one is no advice


def optimiser_steps(plan: Plan) -> dict[str, int | None]:
    """Return the steps by cell, None if a budget of time ends the training or the task's rows are unknown."""
    rows = _known_rows(plan)
    return {
        name: training_steps(cell.task.spec, cell.recipe, rows.get(cell.task.spec.name))
        for name, cell in plan.cells.items()
    }


def with_few_steps(plan: Plan) -> dict[str, int]:
    """Return the steps of cells that train for fewer than `FEW_STEPS`. Smoke runs are left out."""
    return {
        name: steps
        for name, steps in optimiser_steps(plan).items()
        if steps is not None
        and steps < FEW_STEPS
        and not isinstance(plan.cells[name].backbone.weights, RandomWeights)
    }


@dataclass(frozen=True)
class Change:
    """A key of the recipe, its value, and the one with which a cell trains for `FEW_STEPS`."""

    key: str
    now: int
    enough: int


def enough_steps(plan: Plan, cell: str) -> list[Change]:
    """Return the changes of its recipe any one of which gives a cell of `with_few_steps` enough steps."""
    grid_cell = plan.cells[cell]
    task, recipe = grid_cell.task.spec, grid_cell.recipe
    if recipe.steps is not None:
        return [Change("steps", recipe.steps, FEW_STEPS)]
    examples = epoch_examples(task, recipe, _known_rows(plan).get(task.name))
    if not examples:
        return []
    batches = math.ceil(examples / recipe.batch_size)
    changes = [Change("epochs", recipe.epochs, math.ceil(FEW_STEPS / batches))]
    needed = math.ceil(FEW_STEPS / recipe.epochs)  # batches of an epoch
    batch_size = math.ceil(examples / (needed - 1)) - 1 if needed > 1 else recipe.batch_size
    if _LEAST_BATCH <= batch_size < recipe.batch_size:
        changes.append(Change("batch_size", recipe.batch_size, batch_size))
    return changes


def with_unknown_steps(plan: Plan) -> list[str]:
    """Return the cells whose steps depend on the size of their task, which has not been counted yet. Smoke
    runs are left out."""
    rows = _known_rows(plan)
    return [
        name
        for name, steps in optimiser_steps(plan).items()
        if steps is None
        and plan.cells[name].recipe.train_seconds is None
        and plan.cells[name].task.spec.name not in rows
        and not isinstance(plan.cells[name].backbone.weights, RandomWeights)
    ]


def _known_rows(plan: Plan) -> dict[str, Mapping[str, int]]:
    """Return the rows by task as staging counted them in the current data, else as attempts did."""
    staged = {
        task: {"train_available": counts[Split.TRAIN].examples}
        for task, by_length in plan.inputs.counts.items()
        for counts in by_length.values()
        if Split.TRAIN in counts
    }
    return _rows([*plan.history.values(), *plan.probes.values()]) | staged


def _rows(histories: Iterable[TrialHistory]) -> dict[str, Mapping[str, int]]:
    """Return what attempts have counted, by task."""
    return {
        history.last.task.name: observed.timing.rows
        for history in histories
        for observed in history.by_fingerprint.values()
        if history.last is not None and observed.timing is not None and observed.timing.rows
    }
