"""The plan of a sweep: which trials there are, which must run and why, and what that will cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from orchestrator.config import GridCell, Inputs, ResolvedSweep
from orchestrator.contracts.sweep import PlannedTrial, RefusedCell, SweepRecord
from orchestrator.contracts.trial import Digests, Resources, TrialSpec
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.contracts.tuning import Tuned
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.planning import fingerprints
from orchestrator.planning.cost import Predicted, Predictor
from orchestrator.planning.forecast import Prediction, total
from orchestrator.planning.left_out import outdated, together
from orchestrator.planning.observed_memory import Peaks
from orchestrator.planning.packing import Line
from orchestrator.planning.placement import Placement, Placer, Refusal, longest_first, seed_by_seed
from orchestrator.planning.rates import assumed_rate
from orchestrator.planning.standalone import standalone_costs
from orchestrator.planning.tuning import Candidate, Search, Searcher

# "waiting": the search of its cell comes first, and decides with which recipe the trial is run.
Reason = Literal["new", "stale", "unfinished", "failed", "waiting"]

_REASONS: dict[TrialState, Reason] = {
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


@dataclass(frozen=True)
class Plan:
    sweep: ResolvedSweep
    inputs: Inputs
    trials: tuple[PlannedTrial, ...]  # in the order of the grid, seeds varying fastest; no candidates
    refused: tuple[RefusedCell, ...]
    to_run: tuple[ToRun, ...]  # seed by seed, longest first, those that wait for a search included
    up_to_date: tuple[PlannedTrial, ...]
    predicted: Prediction
    searches: tuple[Search, ...] = ()  # of the cells that are tuned, in the order of the grid
    slots: int | None = None
    history: Mapping[str, TrialHistory] = field(default_factory=dict, repr=False)
    placements: Mapping[str, Placement] = field(default_factory=dict, repr=False)  # by cell
    probes: Mapping[str, TrialHistory] = field(default_factory=dict, repr=False)  # by cell; see `probes.py`
    before: SweepRecord | None = field(default=None, repr=False)  # of a partial sweep: the record so far
    kept: tuple[PlannedTrial, ...] = ()  # trials with results that a partial sweep leaves out

    @property
    def outdated(self) -> list[PlannedTrial]:
        """Of what is kept, results of other data, weights or code."""
        return outdated(self.kept, self.history, self.inputs)

    @property
    def stale(self) -> tuple[ToRun, ...]:
        return tuple(item for item in self.to_run if item.reason == "stale")

    @property
    def ready(self) -> tuple[ToRun, ...]:
        """Those of `to_run` that wait for no search."""
        return tuple(item for item in self.to_run if item.reason != "waiting")

    @property
    def candidates_to_run(self) -> tuple[ToRun, ...]:
        """Of all searches the candidates that are drawn and have no result, longest first."""
        drawn = [candidate for search in self.searches for candidate in search.to_run]
        ordered = longest_first(drawn, lambda candidate: candidate.trial.predicted_seconds)
        return tuple(ToRun(candidate.trial, _REASONS[candidate.state]) for candidate in ordered)

    @property
    def tuned(self) -> dict[str, Tuned]:
        """By name of the cell, of the searches that are over."""
        return {s.cell.cell.name: s.tuned for s in self.searches if s.tuned is not None}

    def again(self, history: Mapping[str, TrialHistory]) -> Plan:
        """The same sweep after more has run. `history` holds the trials that it is newer for."""
        return make_plan(
            self.sweep,
            self.inputs,
            {**self.history, **history},
            slots=self.slots,
            probes=self.probes,
            before=self.before,
        )

    def spec(self, trial: PlannedTrial) -> TrialSpec:
        """The full spec, made on demand: thousands of them would hold the same entries over and over."""
        cell = self.cells[trial.cell.name] if trial.candidate is None else self._candidates[trial.name].cell
        return _spec(cell, self.inputs, trial)

    @cached_property
    def cells(self) -> dict[str, GridCell]:
        """As their trials are trained: with what a search found."""
        found = {cell.cell.name: cell for cell in self.sweep.grid.cells}
        return found | {s.winner.cell.name: s.winner for s in self.searches if s.winner is not None}

    @cached_property
    def _candidates(self) -> dict[str, Candidate]:
        return {candidate.trial.name: candidate for s in self.searches for candidate in s.candidates}

    def record(
        self, *, written_at: float, frontier_version: str, provenance: Mapping[str, str]
    ) -> SweepRecord:
        """What the driver writes down before it starts. `written_at`: Unix time, seconds."""
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
            money_per_device_hour=self.predicted.money_per_device_hour,
            provenance=dict(provenance),
        )
        return record if self.before is None else together(record, self.before, self.kept, self.history)


def make_plan(
    sweep: ResolvedSweep,
    inputs: Inputs,
    history: Mapping[str, TrialHistory],
    *,
    slots: int | None = None,
    probes: Mapping[str, TrialHistory] | None = None,
    before: SweepRecord | None = None,
) -> Plan:
    """Pure. `history` is the ledger's, by trial name, candidates of searches included. `slots`: how many
    trials the machines take at once, where that is known and the sweep has no `capacity`, which tells it; its
    own `concurrency` can only lower it.
    `probes`: the ledger of the sweep's probes, as far as they are of this plan (`planning.probes`).
    `before`: what the sweep's last driver wrote down, from which a partial sweep keeps what it leaves out.

    Raises ConfigError where a search would try what is no recipe.
    """
    made = _Making(sweep, inputs, history, probes or {})
    for cell in sweep.grid.cells:
        made.add(cell)
    before = before if sweep.config.partial else None
    pairs = seed_by_seed(
        list(zip(made.to_run, made.to_pay, strict=True)),
        lambda pair: pair[0].trial.seed,
        lambda pair: pair[0].trial.predicted_seconds,
    )
    ordered, to_pay = [item for item, _ in pairs], [paid for _, paid in pairs]
    if sweep.config.capacity is not None:
        line = Line([item.trial.resources for item in ordered], sweep.config.capacity)
        slots = line.begin_together() or None
    ahead = [search.ahead for search in made.searches]
    return Plan(
        sweep=sweep,
        inputs=inputs,
        trials=tuple(made.trials),
        refused=(*sweep.grid.refused, *made.refused),
        to_run=tuple(ordered),
        up_to_date=tuple(made.up_to_date),
        predicted=total(sweep, to_pay, ahead, made.predictor.assumption, slots, made.predictor.noise),
        searches=tuple(made.searches),
        slots=slots,
        history=history,
        placements=made.placements,
        probes=probes or {},
        before=before,
        kept=() if before is None else tuple(made.left_out(before)),
    )


class _Making:
    """A plan in the making, cell by cell."""

    def __init__(
        self,
        sweep: ResolvedSweep,
        inputs: Inputs,
        history: Mapping[str, TrialHistory],
        probes: Mapping[str, TrialHistory],
    ) -> None:
        self._config, self._inputs, self._history = sweep.config, inputs, history
        self._parts, self._unknown = _Parts(inputs), TrialHistory()
        self.predictor = Predictor(
            history.values(), sweep.config.resources, probes.values(), rate=assumed_rate(sweep)
        )
        self._placer = Placer(sweep.config.resources, sweep.catalogue.devices)
        self._peaks = Peaks(
            history.values(), probes.values(), sweep.config.resources, sweep.catalogue.devices
        )
        self.placements: dict[str, Placement] = {}
        self._searcher = Searcher(sweep.file, history, self._given, self.predictor, self._parts.of_candidate)
        self.trials, self.up_to_date = list[PlannedTrial](), list[PlannedTrial]()
        self.to_run, self.to_pay = list[ToRun](), list[Predicted | None]()
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
            now = _UNTUNED if parts is None else fingerprints.combine(parts, trial.seed)
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
        """By an estimate of its memory, and by what was seen of it."""
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
        """One a seed. While a search goes on, the recipe that it starts from stands in for its winner's."""
        shared = self._parts.of(cell)
        self._settled[cell.cell.name] = None if waiting else shared
        parts = cell.backbone, cell.variant.spec, cell.task.spec, cell.recipe
        found = self.predictor.predict(*parts, resources=self._given(cell))
        for seed in self._config.seeds:
            trial = PlannedTrial(
                cell=cell.cell,
                seed=seed,
                fingerprint=_UNTUNED if waiting else fingerprints.combine(shared, seed),
                resources=self._given(cell),
                predicted_seconds=None if found is None else found.seconds,
            )
            known = self._history.get(trial.name, self._unknown)
            state = known.state(trial.fingerprint)
            done = known.done_share(trial.fingerprint)
            trial = trial.model_copy(update={"done_share": done}) if done else trial
            self.trials.append(trial)
            if state is TrialState.FINISHED:
                self.up_to_date.append(trial)
                continue
            self.to_pay.append(found if found is None else found.left(trial.done_share))
            stale = state is TrialState.STALE and not waiting
            changed = _changed(known, cell, self._inputs, trial) if stale else ()
            self.to_run.append(ToRun(trial, "waiting" if waiting else _REASONS[state], changed))


def _spec(cell: GridCell, inputs: Inputs, trial: PlannedTrial) -> TrialSpec:
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
    )


def _changed(known: TrialHistory, cell: GridCell, inputs: Inputs, trial: PlannedTrial) -> tuple[str, ...]:
    if known.last is None:
        return ()
    return fingerprints.differences(known.last, _spec(cell, inputs, trial))


class _Parts:
    """Digests of the parts of identities. Each part is hashed once, however many cells share it."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._code = fingerprints.part_digest({"worker": inputs.code, "metrics": inputs.metrics})
        self._scored = fingerprints.part_digest(fingerprints.CANDIDATE)
        self._known: dict[tuple[str, Hashable], str] = {}

    def of(self, cell: GridCell) -> dict[str, str]:
        backbone, method, task = cell.backbone, cell.variant.spec, cell.task.spec
        return {
            "backbone": self._once(
                ("backbone", backbone.name),
                lambda: fingerprints.backbone_identity(backbone, self._inputs.weights[backbone.name]),
            ),
            "method": self._once(("method", method.settings), lambda: fingerprints.method_identity(method)),
            "task": self._once(
                ("task", task.name), lambda: fingerprints.task_identity(task, self._inputs.data[task.name])
            ),
            "recipe": self._once(("recipe", cell.recipe), lambda: fingerprints.recipe_identity(cell.recipe)),
            "code": self._code,
        }

    def of_candidate(self, cell: GridCell, seed: int) -> str:
        """The fingerprint of a candidate whose values the cell has."""
        return fingerprints.combine({**self.of(cell), "scored": self._scored}, seed)

    def _once(self, key: tuple[str, Hashable], part: Callable[[], Mapping[str, Any]]) -> str:
        if key not in self._known:
            self._known[key] = fingerprints.part_digest(part())
        return self._known[key]
