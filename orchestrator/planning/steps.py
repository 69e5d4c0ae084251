"""How many optimiser steps the cells of a plan train for, and which of them train for few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.contracts.backbone import RandomWeights
from orchestrator.contracts.history import TrialHistory
from orchestrator.planning.plan import Plan
from orchestrator.planning.schedule import training_steps

FEW_STEPS = 100  # below it a score says more about the length of the training than about the method


def optimiser_steps(plan: Plan) -> dict[str, int | None]:
    """By cell. None where a budget of time ends the training, or nothing tells how many rows the task has."""
    rows = _rows([*plan.history.values(), *plan.probes.values()])
    return {
        name: training_steps(cell.task.spec, cell.recipe, rows.get(cell.task.spec.name))
        for name, cell in plan.cells.items()
    }


def with_few_steps(plan: Plan) -> dict[str, int]:
    """The steps of cells that train for fewer than `FEW_STEPS`. Smoke runs are left out."""
    return {
        name: steps
        for name, steps in optimiser_steps(plan).items()
        if steps is not None
        and steps < FEW_STEPS
        and not isinstance(plan.cells[name].backbone.weights, RandomWeights)
    }


def _rows(known: Iterable[TrialHistory]) -> dict[str, Mapping[str, int]]:
    """What attempts have counted, by task."""
    return {
        history.last.task.name: found.timing.rows
        for history in known
        for found in history.by_fingerprint.values()
        if history.last is not None and found.timing is not None and found.timing.rows
    }
