"""What the trials of a plan cost on an exclusive GPU, by the probes of their families, which each had one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from orchestrator.config import GridCell
from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.probe import Standalone, Timing
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.planning.workload import Workload, training_steps

Family = tuple[str, str, str]  # backbone, method entry, task


def family_of(cell: GridCell) -> Family:
    return cell.backbone.name, cell.variant.spec.entry, cell.cell.task


def standalone_costs(cells: Iterable[GridCell], probes: Iterable[TrialHistory]) -> dict[str, Standalone]:
    """Return the costs by cell. A cell whose family has no probe on a GPU is left out."""
    by_family = dict(filter(None, map(_probe, probes)))
    costs = ((cell.cell.name, by_family.get(family_of(cell)), cell) for cell in cells)
    return {name: _cost(cell, *probe) for name, probe, cell in costs if probe is not None}


def _probe(history: TrialHistory) -> tuple[Family, tuple[TrialSpec, Timing]] | None:
    if history.newest is None:
        return None
    spec, timing = history.newest[0], history.newest[1].timing
    if timing is None or timing.device_type == CPU or timing.devices < 1 or not timing.steps:
        return None
    return (spec.backbone.name, spec.method.entry, spec.task.name), (spec, timing)


def _cost(cell: GridCell, probe: TrialSpec, timing: Timing) -> Standalone:
    """A step of the cell to one of the probe is as their arithmetic: the same, but for a family whose cells
    differ in length, batch or settings, and under head-only, whose later epochs take less."""
    recipe, task = cell.recipe, cell.task.spec
    rows = timing.rows
    work = replace(Workload.of_cell(cell), one_process=not timing.spread)
    before = timing.load_seconds + timing.warm_up_seconds
    planned = training_steps(task, recipe, rows)
    # The length of a text, where the plan has counted it, stands in the cell's task alone.
    measured = replace(Workload.of_trial(probe), backbone=cell.backbone, task=task)
    passes = None if planned is None else work.passes(planned * recipe.batch_size, rows)
    step = _a_step(work, passes, planned) / _a_step(measured, measured.passes_made(timing), timing.steps)
    scored = timing.evaluate_seconds / measured.evaluations_made(timing)
    scoring = scored * work.evaluations(planned, rows)
    return Standalone(
        device_type=timing.device_type,
        step_seconds=timing.train_seconds / timing.steps * step * timing.devices,
        other_seconds=(before + scoring + timing.test_seconds) * timing.devices,
        calibrated_steps=timing.steps,
    )


def _a_step(work: Workload, passes: float | None, steps: int | None) -> float:
    """Return the operations of an optimiser step, the mean of `steps` that took `passes` through the whole
    model, or its examples if the model's size is unknown. None: a batch."""
    examples = work.recipe.batch_size if passes is None or steps is None else passes / steps
    return examples * (work.operations_per_example() or 1.0)
