"""The plan of a sweep: which trials there are, which must run and why, and what that will cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.config import GridCell, Inputs, ResolvedSweep
from orchestrator.contracts.sweep import PlannedTrial, RefusedCell, SweepRecord
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.contracts.tuning import Tuned
from orchestrator.planning.forecast import Forecast, total
from orchestrator.planning.left_out import outdated, with_trials_before
from orchestrator.planning.packing import TrialQueue
from orchestrator.planning.placement import Placement, longest_first, seed_by_seed
from orchestrator.planning.plan_builder import REASONS, PlanBuilder, ToRun, trial_spec
from orchestrator.planning.standalone import standalone_costs
from orchestrator.planning.tuning import Candidate, Search


@dataclass(frozen=True)
class Plan:
    sweep: ResolvedSweep
    inputs: Inputs
    trials: tuple[PlannedTrial, ...]  # in the order of the grid, seeds varying fastest; no candidates
    refused: tuple[RefusedCell, ...]
    to_run: tuple[ToRun, ...]  # seed by seed, longest first, those that wait for a search included
    up_to_date: tuple[PlannedTrial, ...]
    forecast: Forecast
    searches: tuple[Search, ...] = ()  # of the cells that are tuned, in the order of the grid
    slots: int | None = None
    history: Mapping[str, TrialHistory] = field(default_factory=dict, repr=False)
    placements: Mapping[str, Placement] = field(default_factory=dict, repr=False)  # by cell
    probes: Mapping[str, TrialHistory] = field(default_factory=dict, repr=False)  # by cell; see `probes.py`
    before: SweepRecord | None = field(default=None, repr=False)  # of a partial sweep: the record so far
    kept: tuple[PlannedTrial, ...] = ()  # trials with results that a partial sweep leaves out

    @property
    def outdated(self) -> list[PlannedTrial]:
        """Return the kept trials whose results are of other data, weights or code."""
        return outdated(self.kept, self.history, self.inputs)

    @property
    def stale(self) -> tuple[ToRun, ...]:
        return tuple(item for item in self.to_run if item.reason == "stale")

    @property
    def ready(self) -> tuple[ToRun, ...]:
        """Return the trials of `to_run` that wait for no search."""
        return tuple(item for item in self.to_run if item.reason != "waiting")

    @property
    def candidates_to_run(self) -> tuple[ToRun, ...]:
        """Return the candidates of all searches that are drawn and have no result, longest first."""
        drawn = [candidate for search in self.searches for candidate in search.to_run]
        ordered = longest_first(drawn, lambda candidate: candidate.trial.forecast_seconds)
        return tuple(ToRun(candidate.trial, REASONS[candidate.state]) for candidate in ordered)

    @property
    def tuned(self) -> dict[str, Tuned]:
        """Return what finished searches found, by name of the cell."""
        return {s.cell.cell.name: s.tuned for s in self.searches if s.tuned is not None}

    def again(self, history: Mapping[str, TrialHistory]) -> Plan:
        """Return the plan of the same sweep after more has run. `history` holds the trials that have
        changed."""
        return make_plan(
            self.sweep,
            self.inputs,
            {**self.history, **history},
            slots=self.slots,
            probes=self.probes,
            before=self.before,
        )

    def spec(self, trial: PlannedTrial) -> TrialSpec:
        """Return the full spec, made on demand: thousands of them would repeat the same entries."""
        cell = self.cells[trial.cell.name] if trial.candidate is None else self._candidates[trial.name].cell
        return trial_spec(cell, self.inputs, trial)

    @cached_property
    def cells(self) -> dict[str, GridCell]:
        """Return the cells as their trials are trained: with what a search found."""
        cells = {cell.cell.name: cell for cell in self.sweep.grid.cells}
        return cells | {s.winner.cell.name: s.winner for s in self.searches if s.winner is not None}

    @cached_property
    def _candidates(self) -> dict[str, Candidate]:
        return {candidate.trial.name: candidate for s in self.searches for candidate in s.candidates}

    def record(
        self, *, written_at: float, frontier_version: str, provenance: Mapping[str, str]
    ) -> SweepRecord:
        """Return the record that the driver writes before it starts. `written_at`: Unix time, seconds."""
        cells = self.sweep.grid.cells
        record = SweepRecord(
            name=self.sweep.config.name,
            question=self.sweep.config.question,
            good_enough=self.sweep.config.good_enough,
            failures=self.sweep.config.failures,
            written_at=written_at,
            frontier_version=frontier_version,
            config=self.sweep.raw,
            backbones={c.cell.backbone_key: c.backbone for c in cells},
            methods={c.cell.method: c.variant.spec for c in cells},
            tasks={c.cell.task: c.task.spec for c in cells},
            recipes={name: cell.recipe for name, cell in self.cells.items()},
            trials=self.trials,
            candidates=tuple(c.trial for s in self.searches for c in s.candidates),
            tuned=self.tuned,
            refused=self.refused,
            standalone=standalone_costs(self.cells.values(), self.probes.values()),
            prices=self.sweep.catalogue.prices.get(self.sweep.config.prices or ""),
            market=self.sweep.config.market,
            money_per_device_hour=self.forecast.money_per_device_hour,
            provenance=dict(provenance),
        )
        return (
            record
            if self.before is None
            else with_trials_before(record, self.before, self.kept, self.history)
        )


def make_plan(
    sweep: ResolvedSweep,
    inputs: Inputs,
    history: Mapping[str, TrialHistory],
    *,
    slots: int | None = None,
    probes: Mapping[str, TrialHistory] | None = None,
    before: SweepRecord | None = None,
    at: Callable[[float, float], None] = lambda done, total: None,
) -> Plan:
    """Pure. `history` is the ledger's, by trial name, candidates of searches included. `slots`: how many
    trials the machines take at once, where that is known and the sweep has no `capacity`, which tells it; its
    own `concurrency` can only lower it.
    `probes`: the ledger of the sweep's probes, as far as they are of this plan (`planning.probes`).
    `before`: what the sweep's last driver wrote down, from which a partial sweep keeps what it leaves out.
    `at` hears how many cells of how many are planned.

    Raises ConfigError where a search would try what is no recipe.
    """
    builder = PlanBuilder(sweep, inputs, history, probes or {})
    for number, cell in enumerate(sweep.grid.cells):
        at(number, len(sweep.grid.cells))
        builder.add(cell)
    before = before if sweep.config.partial else None
    pairs = seed_by_seed(
        list(zip(builder.to_run, builder.to_pay, strict=True)),
        lambda pair: pair[0].trial.seed,
        lambda pair: pair[0].trial.forecast_seconds,
    )
    ordered, to_pay = [item for item, _ in pairs], [paid for _, paid in pairs]
    if sweep.config.capacity is not None:
        line = TrialQueue([item.trial.resources for item in ordered], sweep.config.capacity)
        slots = line.begin_together() or None
    ahead = [search.ahead for search in builder.searches]
    return Plan(
        sweep=sweep,
        inputs=inputs,
        trials=tuple(builder.trials),
        refused=(*sweep.grid.refused, *builder.refused),
        to_run=tuple(ordered),
        up_to_date=tuple(builder.up_to_date),
        forecast=total(sweep, to_pay, ahead, builder.forecaster.assumption, slots, builder.forecaster.noise),
        searches=tuple(builder.searches),
        slots=slots,
        history=history,
        placements=builder.placements,
        probes=probes or {},
        before=before,
        kept=() if before is None else tuple(builder.left_out(before)),
    )
