"""Plan the trials of each cell: placement, fingerprint, forecast, and why it must run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

from orchestrator.config import GridCell, Inputs, ResolvedSweep
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.sweep import PlannedTrial, RefusedCell, SweepRecord
from orchestrator.contracts.trial import Digests, TrialSpec
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.planning.cost import Forecaster, TrialForecast
from orchestrator.planning.fingerprints import Fingerprints, combine, differences
from orchestrator.planning.observed_memory import Peaks
from orchestrator.planning.placement import Placement, Placer, Refusal
from orchestrator.planning.rates import assumed_rate
from orchestrator.planning.tuning import Search, Searcher
from orchestrator.planning.workload import Workload

# "waiting": the search of its cell comes first, and decides with which recipe the trial is run.
Reason = Literal["new", "stale", "unfinished", "failed", "waiting"]

REASONS: dict[TrialState, Reason] = {
    TrialState.NEW: "new",
    TrialState.STALE: "stale",
    TrialState.UNFINISHED: "unfinished",
    TrialState.FAILED: "failed",
    TrialState.FINISHED: "failed",  # of a candidate without a dev score
}
_UNTUNED = ""  # the fingerprint of a trial that waits: what it will be is not known, so nothing matches it


@dataclass(frozen=True, slots=True)
class ToRun:
    trial: PlannedTrial
    reason: Reason
    changed: tuple[str, ...] = ()  # "recipe.learning_rate: 0.0003 -> 0.001", for stale trials


class PlanBuilder:
    """Plans the trials of a sweep cell by cell."""

    def __init__(
        self,
        sweep: ResolvedSweep,
        inputs: Inputs,
        history: Mapping[str, TrialHistory],
        probes: Mapping[str, TrialHistory],
    ) -> None:
        self._config, self._inputs, self._history = sweep.config, inputs, history
        self._fingerprints, self._unknown = Fingerprints(inputs), TrialHistory()
        self.forecaster = Forecaster(
            history.values(),
            sweep.config.resources,
            probes.values(),
            rate=assumed_rate(sweep),
            counts=inputs.counts,
            tokens=inputs.tokens,
        )
        self._placer = Placer(sweep.config.resources, sweep.catalogue.devices)
        self._peaks = Peaks(
            history.values(), probes.values(), sweep.config.resources, sweep.catalogue.devices
        )
        self.placements: dict[str, Placement] = {}
        self._searcher = Searcher(
            sweep.file, history, self._given, self.forecaster, self._fingerprints.of_candidate
        )
        self.trials, self.up_to_date = list[PlannedTrial](), list[PlannedTrial]()
        self.to_run, self.to_pay = list[ToRun](), list[TrialForecast | None]()
        self.searches, self.refused = list[Search](), list[RefusedCell]()
        self._settled: dict[str, Mapping[str, str] | None] = {}  # parts of identities by cell; None: waiting
        self._not_run = {refused.cell.name for refused in sweep.grid.refused}

    def left_out(self, before: SweepRecord) -> Iterator[PlannedTrial]:
        """Trials that were planned before, have begun, and are not of this plan. Seeds of one cell share its
        settings: those left out count under the ones it has now."""
        planned = {trial.name for trial in self.trials}
        refused = self._not_run | {refused.cell.name for refused in self.refused}
        for trial in before.trials:
            cell = trial.cell.name
            if trial.name in planned or trial.name not in self._history or cell in refused:
                continue
            if cell not in self._settled:
                yield trial
                continue
            parts = self._settled[cell]
            now = _UNTUNED if parts is None else combine(parts, trial.seed, trial.fold)
            yield trial.model_copy(update={"fingerprint": now})

    def add(self, cell: GridCell) -> None:
        placed = self._place(cell)
        if isinstance(placed, Refusal):
            self.refused.append(RefusedCell(cell=cell.cell, reason=placed.reason))
            return
        self.placements[cell.cell.name] = placed
        if cell.tune is None:
            self._add_trials(cell)
            return
        search = self._searcher.search(cell, cell.tune)
        self.searches.append(search)
        if search.problem is not None:
            self.refused.append(RefusedCell(cell=cell.cell, reason=search.problem))
        else:
            self._add_trials(search.winner or cell, waiting=search.winner is None)

    def _place(self, cell: GridCell) -> Placement | Refusal:
        """Return the placement by an estimate of the memory and by observed peaks."""
        placed = self._placer.place(cell)
        if isinstance(placed, Refusal):
            return placed
        full = self._peaks.refusal(cell, placed.resources)
        if full is not None and placed.needs is not None and placed.resources.shares_a_gpu:
            placed = self._placer.place(cell, alone=True)  # the probe was, and took more than the estimate
            if isinstance(placed, Refusal):
                return placed
            full = self._peaks.refusal(cell, placed.resources)
        return placed if full is None else Refusal(full)

    def _given(self, cell: GridCell) -> Resources:
        return self.placements[cell.cell.name].resources

    def _add_trials(self, cell: GridCell, waiting: bool = False) -> None:
        """Add one trial per seed and fold. Until a search has ended, the recipe that it starts from replaces
        its winner's."""
        shared = self._fingerprints.parts(cell)
        self._settled[cell.cell.name] = None if waiting else shared
        forecast = self.forecaster.forecast(Workload.of_cell(cell), resources=self._given(cell))
        for seed, fold in product(self._config.seeds, cell.folds):
            trial = PlannedTrial(
                cell=cell.cell,
                seed=seed,
                fold=fold,
                fingerprint=_UNTUNED if waiting else combine(shared, seed, fold),
                resources=self._given(cell),
                forecast_seconds=None if forecast is None else forecast.seconds,
            )
            trial_history = self._history.get(trial.name, self._unknown)
            state = trial_history.state(trial.fingerprint)
            done = trial_history.done_share(trial.fingerprint)
            trial = trial.model_copy(update={"done_share": done}) if done else trial
            self.trials.append(trial)
            if state is TrialState.FINISHED:
                self.up_to_date.append(trial)
                continue
            self.to_pay.append(None if forecast is None else forecast.left(trial.done_share))
            stale = state is TrialState.STALE and not waiting
            changed = _changed(trial_history, cell, self._inputs, trial) if stale else ()
            self.to_run.append(ToRun(trial, "waiting" if waiting else REASONS[state], changed))


def trial_spec(cell: GridCell, inputs: Inputs, trial: PlannedTrial) -> TrialSpec:
    """Return the full spec of a planned trial of the cell."""
    return TrialSpec(
        cell=cell.cell,
        seed=trial.seed,
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
        fingerprint=trial.fingerprint,
        candidate=trial.candidate,
        fold=trial.fold,
    )


def _changed(history: TrialHistory, cell: GridCell, inputs: Inputs, trial: PlannedTrial) -> tuple[str, ...]:
    if history.last is None:
        return ()
    return differences(history.last, trial_spec(cell, inputs, trial))
