"""The plan of a sweep: which trials there are, which must run and why, and what that will cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from orchestrator.config import GridCell, Inputs, ResolvedSweep
from orchestrator.contracts.history import TrialHistory
from orchestrator.contracts.sweep import PlannedTrial, RefusedCell, SweepRecord
from orchestrator.contracts.trial import Digests, Recipe, TrialSpec
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.planning import identity
from orchestrator.planning.cost import Predicted, Predictor
from orchestrator.planning.placement import longest_first
from orchestrator.planning.totals import Prediction, total

Reason = Literal["new", "stale", "unfinished", "failed"]

_REASONS: dict[TrialState, Reason] = {
    TrialState.NEW: "new",
    TrialState.STALE: "stale",
    TrialState.UNFINISHED: "unfinished",
    TrialState.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class ToRun:
    trial: PlannedTrial
    reason: Reason
    changed: tuple[str, ...] = ()  # "recipe.learning_rate: 0.0003 -> 0.001", for stale trials


@dataclass(frozen=True)
class Plan:
    sweep: ResolvedSweep
    inputs: Inputs
    trials: tuple[PlannedTrial, ...]  # in the order of the grid, seeds varying fastest
    refused: tuple[RefusedCell, ...]
    to_run: tuple[ToRun, ...]  # longest first
    up_to_date: tuple[PlannedTrial, ...]
    predicted: Prediction

    @property
    def stale(self) -> tuple[ToRun, ...]:
        return tuple(item for item in self.to_run if item.reason == "stale")

    def spec(self, trial: PlannedTrial) -> TrialSpec:
        """The full spec, made on demand: thousands of them would hold the same entries over and over."""
        return _spec(self._cells[trial.cell.name], self.inputs, trial.seed, trial.fingerprint)

    @cached_property
    def _cells(self) -> dict[str, GridCell]:
        return {cell.cell.name: cell for cell in self.sweep.grid.cells}

    def record(
        self, *, written_at: float, frontier_version: str, provenance: Mapping[str, str]
    ) -> SweepRecord:
        """What the driver writes down before it starts. `written_at`: Unix time, seconds."""
        cells = self.sweep.grid.cells
        return SweepRecord(
            name=self.sweep.config.name,
            question=self.sweep.config.question,
            written_at=written_at,
            frontier_version=frontier_version,
            config=self.sweep.raw,
            backbones={f"{c.cell.model}/{c.cell.domain}": c.backbone for c in cells},
            methods={c.cell.method: c.variant.spec for c in cells},
            tasks={c.cell.task: c.task.spec for c in cells},
            recipes={c.cell.name: c.recipe for c in cells},
            trials=self.trials,
            refused=self.refused,
            provenance=dict(provenance),
        )


def make_plan(
    sweep: ResolvedSweep, inputs: Inputs, history: Mapping[str, TrialHistory], *, slots: int | None = None
) -> Plan:
    """Pure. `history` is the ledger's, by trial name. `slots`: how many trials the machines take at once,
    where that is known; the sweep's own `concurrency` can only lower it."""
    predictor = Predictor(history.values(), sweep.config.resources)
    parts, unknown = _Parts(inputs), TrialHistory()
    trials, to_run, up_to_date = list[PlannedTrial](), list[ToRun](), list[PlannedTrial]()
    to_pay = list[Predicted | None]()
    for cell in sweep.grid.cells:
        shared = parts.of(cell)
        found = predictor.predict(cell.backbone, cell.variant.spec, cell.task.spec, cell.recipe)
        for seed in sweep.config.seeds:
            trial = PlannedTrial(
                cell=cell.cell,
                seed=seed,
                fingerprint=identity.combine(shared, seed),
                resources=sweep.config.resources,
                predicted_seconds=None if found is None else found.seconds,
            )
            trials.append(trial)
            known = history.get(trial.name, unknown)
            state = known.state(trial.fingerprint)
            if state is TrialState.FINISHED:
                up_to_date.append(trial)
                continue
            to_pay.append(found)
            changed = _changed(known, cell, inputs, trial) if state is TrialState.STALE else ()
            to_run.append(ToRun(trial, _REASONS[state], changed))
    ordered = longest_first(to_run, lambda item: item.trial.predicted_seconds)
    return Plan(
        sweep=sweep,
        inputs=inputs,
        trials=tuple(trials),
        refused=tuple(sweep.grid.refused),
        to_run=tuple(ordered),
        up_to_date=tuple(up_to_date),
        predicted=total(sweep, to_pay, predictor.assumption, slots),
    )


def _spec(cell: GridCell, inputs: Inputs, seed: int, fingerprint: str) -> TrialSpec:
    return TrialSpec(
        cell=cell.cell,
        seed=seed,
        backbone=cell.backbone,
        method=cell.variant.spec,
        task=cell.task.spec,
        recipe=cell.recipe,
        digests=Digests(
            data=inputs.data[cell.task.spec.name],
            weights=inputs.weights[cell.backbone.name],
            code=inputs.code,
            metrics=inputs.metrics,
        ),
        fingerprint=fingerprint,
    )


def _changed(known: TrialHistory, cell: GridCell, inputs: Inputs, trial: PlannedTrial) -> tuple[str, ...]:
    if known.last is None:
        return ()
    return identity.differences(known.last, _spec(cell, inputs, trial.seed, trial.fingerprint))


class _Parts:
    """Digests of the parts of identities. Each part is hashed once, however many cells share it."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._code = identity.part_digest({"worker": inputs.code, "metrics": inputs.metrics})
        self._known: dict[tuple[str, str | Recipe], str] = {}

    def of(self, cell: GridCell) -> dict[str, str]:
        backbone, method, task = cell.backbone, cell.variant.spec, cell.task.spec
        return {
            "backbone": self._once(
                ("backbone", backbone.name),
                lambda: identity.backbone_identity(backbone, self._inputs.weights[backbone.name]),
            ),
            "method": self._once(("method", method.name), lambda: identity.method_identity(method)),
            "task": self._once(
                ("task", task.name), lambda: identity.task_identity(task, self._inputs.data[task.name])
            ),
            "recipe": self._once(("recipe", cell.recipe), lambda: identity.recipe_identity(cell.recipe)),
            "code": self._code,
        }

    def _once(self, key: tuple[str, str | Recipe], part: Callable[[], Mapping[str, Any]]) -> str:
        if key not in self._known:
            self._known[key] = identity.part_digest(part())
        return self._known[key]
