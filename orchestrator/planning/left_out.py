"""What a partial sweep leaves out: results of other trials of the sweep, which stay in its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from orchestrator.config import Inputs
from orchestrator.contracts.sweep import PlannedTrial, SweepRecord
from orchestrator.contracts.trial_history import TrialHistory

V = TypeVar("V")


def with_trials_before(
    record: SweepRecord,
    before: SweepRecord,
    kept: Iterable[PlannedTrial],
    history: Mapping[str, TrialHistory],
) -> SweepRecord:
    """Return the record of a partial sweep, with what the one `before` it says of trials that are `kept`, and
    of searches that were begun, in the order that they had there."""
    own = {trial.cell.name for trial in record.trials} | {refused.cell.name for refused in record.refused}
    trials = {trial.name: trial for trial in (*kept, *record.trials)}
    candidates = [c for c in before.candidates if c.cell.name not in own and c.name in history]
    cells = {trial.cell for trial in (*trials.values(), *candidates)}
    left = {cell.name for cell in cells} - own
    return record.model_copy(
        update={
            "backbones": _both(before.backbones, record.backbones, {c.backbone_key for c in cells}),
            "methods": _both(before.methods, record.methods, {cell.method for cell in cells}),
            "tasks": _both(before.tasks, record.tasks, {cell.task for cell in cells}),
            "recipes": _both(before.recipes, record.recipes, left),
            "tuned": _both(before.tuned, record.tuned, left),
            "standalone": _both(before.standalone, record.standalone, left),
            "trials": tuple(_both({t.name: t for t in before.trials}, trials, set()).values()),
            "candidates": (*record.candidates, *candidates),
            "refused": (
                *record.refused,
                *(refused for refused in before.refused if refused.cell.name not in own | left),
            ),
        }
    )


def _both(before: Mapping[str, V], now: Mapping[str, V], kept: set[str]) -> dict[str, V]:
    """Return what is there now, and the wanted part of what was before, in the older order."""
    older = {key: now.get(key, value) for key, value in before.items() if key in now or key in kept}
    return {**older, **now}


def outdated(
    kept: Iterable[PlannedTrial], history: Mapping[str, TrialHistory], inputs: Inputs
) -> list[PlannedTrial]:
    """Return the trials whose results come from other data, weights or code than the sweep has now, as far as
    the planned part shows."""
    return [trial for trial in kept if _differs(history[trial.name], inputs)]


def _differs(history: TrialHistory, inputs: Inputs) -> bool:
    if history.last is None:
        return False
    then, spec = history.last.digests, history.last
    return (
        (then.code, then.metrics) != (inputs.code, inputs.metrics)
        or then.data != inputs.data.get(spec.task.name, then.data)
        or then.weights != inputs.weights.get(spec.backbone.name, then.weights)
    )
