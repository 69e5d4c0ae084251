"""Probes: a short trial for each family of cells, which measures what the sweep will take before it starts.

They are a sweep of their own beside the real one (`<name>-probes`), run and recorded like any other: billed
separately, never results, run again only where something changed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from orchestrator.config import GridCell, ResolvedSweep
from orchestrator.config.grid import Grid
from orchestrator.config.resources import AutoResources
from orchestrator.contracts import layout
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.planning.plan import Plan
from orchestrator.planning.standalone import Family, family_of, standalone_costs
from orchestrator.planning.workload import Workload, training_steps

_MOST_STEPS, _LEAST_STEPS = 40, 8
_SHARE = 0.1  # of the training that the probe represents
_EVALUATIONS = 2  # from the first to the last it is at pace


def probe_sweep(sweep: ResolvedSweep) -> ResolvedSweep:
    """One cell a family, the one with the most arithmetic; one seed and fold, a few steps, no search, no GPU
    shared.
    Inputs are those of the sweep, and reading, scoring and saving are done in full: they are measured, not
    scaled."""
    families: dict[Family, GridCell] = {}
    for cell in sweep.grid.cells:
        representative = families.setdefault(family_of(cell), cell)
        if _work(cell) > _work(representative):
            families[family_of(cell)] = cell
    config = sweep.config.model_copy(
        update={
            "name": f"{sweep.config.name}{layout.PROBES}",
            "question": None,
            "good_enough": None,
            "seeds": sweep.config.seeds[:1],
            "keep_weights": "none",
            "log_models": False,
            "budget": None,
            "resources": _to_itself(sweep.config.resources),
        }
    )
    shared = may_share(sweep.config.resources)
    grid = Grid(cells=[_short(cell, calibrates=shared) for cell in families.values()], refused=[])
    raw = sweep.raw | {"name": config.name, "seeds": list(config.seeds)}
    return dataclasses.replace(sweep, config=config, grid=grid, raw=raw)


def _to_itself(asked: Resources | AutoResources) -> Resources | AutoResources:
    """Return the resources with an exclusive GPU: a probe measures its cell, not neighbours."""
    if isinstance(asked, AutoResources):
        return asked.model_copy(update={"share": False})
    return asked.model_copy(update={"gpus": 1.0}) if asked.shares_a_gpu else asked


def _work(cell: GridCell) -> float:
    return Workload.of_cell(cell).operations() or 0.0


def may_share(asked: Resources | AutoResources) -> bool:
    """Return whether trials may get a share of a GPU. Their costs are then those of their families'
    probes."""
    if isinstance(asked, AutoResources):
        return asked.share and asked.device is not None
    return asked.shares_a_gpu


def sharing_families(plan: Plan) -> set[Family]:
    """Return the families of the cells whose trials share a GPU."""
    placed = plan.placements.items()
    return {family_of(plan.cells[name]) for name, placement in placed if placement.resources.shares_a_gpu}


def uncalibrated(plan: Plan) -> set[Family]:
    """Return the `sharing_families` that no probe of `plan` covers."""
    calibrated = standalone_costs(plan.cells.values(), plan.probes.values())
    return sharing_families(plan) - {family_of(plan.cells[name]) for name in calibrated}


def _short(cell: GridCell, *, calibrates: bool) -> GridCell:
    recipe = probe_recipe(cell, calibrates=calibrates)
    return dataclasses.replace(cell, recipe=recipe, tune=None, one_fold=True)


def probe_recipe(cell: GridCell, *, calibrates: bool = False) -> Recipe:
    """A tenth of the steps, 8 to 40 of them, with two evaluations: the steps between them are at pace. One
    that costs of trials are taken from (`calibrates`) makes 40 in any case."""
    planned = training_steps(cell.task.spec, cell.recipe)
    steps = _MOST_STEPS if planned is None or calibrates else round(planned * _SHARE)
    return Recipe.model_validate(
        cell.recipe.model_dump()
        | {
            "steps": min(_MOST_STEPS, max(_LEAST_STEPS, steps)),
            "train_seconds": None,
            "evaluations": _EVALUATIONS,
            "stop_collapsed": False,  # it trains too short to be anything else
        }
    )


def are_probes(record: SweepRecord) -> bool:
    """Return whether a sweep is one that `probe_sweep` made, and not a user's with such a name."""
    recipes = record.recipes.values()
    short = [r.evaluations == _EVALUATIONS and 0 < (r.steps or 0) <= _MOST_STEPS for r in recipes]
    return bool(short) and all(short)


def usable(probes: Plan, history: Mapping[str, TrialHistory]) -> dict[str, TrialHistory]:
    """Return, by name, the results in a ledger of probes whose fingerprints `probes` plans now. A change of
    the data, the worker or the recipe makes a probe stale, and stale probes are ignored."""
    histories = {}
    for trial in probes.trials:
        trial_history = history.get(trial.name)
        if (
            trial_history is None
            or trial_history.last is None
            or trial_history.last.fingerprint != trial.fingerprint
        ):
            continue
        if trial_history.state(trial.fingerprint) is TrialState.FINISHED:
            histories[trial.name] = trial_history
    return histories


def billed_device_hours(history: Iterable[TrialHistory]) -> float:
    """Return the device-hours of all probes that were ever made for the sweep."""
    return (
        sum(observed.device_seconds for trial in history for observed in trial.by_fingerprint.values()) / 3600
    )
