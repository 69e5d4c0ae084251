"""`keep_weights: frontier`: drop whole models that other cells beat, while the sweep runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.contracts.kept_weights import KeepWeights, KeptWeights
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.sweep import PlannedTrial, SweepRecord
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report.kept_models import Saved, kept_models
from orchestrator.report.results.frontier_so_far import FrontierSoFar, RankedCell
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.leftovers import saved_for_frontier
from orchestrator.tracking.whole_models import SavedModel, drop, saved_models


class FrontierWeights:
    """The driver's choice. It is written down before anything is deleted, and is the same for the same
    records, so that a run after a killed driver ends what that one began."""

    def __init__(self, ledger: Ledger, keep_gib: float) -> None:
        self._ledger, self._keep_gib = ledger, keep_gib
        self._before = ledger.weights()

    def follow(self, sweep: SweepRecord) -> KeptWeights:
        self._sweep, self._so_far = sweep, FrontierSoFar(sweep, self._ledger.examples)
        self._trials: dict[Cell, list[PlannedTrial]] = {}
        self._saved: dict[str, list[SavedModel]] = {}  # by trial
        self._unsaved: dict[str, None] = {}
        self._ranked: dict[str, list[RankedCell]] = {}  # by task
        for planned in sweep.trials:
            self._trials.setdefault(planned.cell, []).append(planned)
        for cell in self._trials:
            self._read(cell)
        return self._choose(sweep.tasks)

    def ended(self, trials: Sequence[PlannedTrial]) -> KeptWeights:
        cells = dict.fromkeys(trial.cell for trial in trials)
        for cell in cells:
            self._read(cell)
        return self._choose(dict.fromkeys(cell.task for cell in cells))

    def finish(self) -> KeptWeights:
        return self._choose(self._sweep.tasks, retries=False)

    def _read(self, cell: Cell) -> None:
        records = [self._ledger.trial(planned) for planned in self._trials[cell]]
        self._so_far.put(cell, records)
        for record in records:
            self._saved[record.name] = saved_models(self._ledger, record, self._sweep)
            self._unsaved.pop(record.name, None)
            if self._was_too_large(record):
                self._unsaved[record.name] = None

    def _was_too_large(self, record: TrialRecord) -> bool:
        """Return whether the worker did not write the model of a finished trial, as its order said."""
        method, attempt = self._sweep.methods[record.planned.cell.method], record.decisive
        return (
            record.state is TrialState.FINISHED
            and attempt is not None
            and saved_for_frontier(attempt, method)
            and attempt.outcome is not None
            and attempt.outcome.saved_bytes is None
        )

    def _choose(self, tasks: Iterable[str], *, retries: bool = True) -> KeptWeights:
        for task in tasks:
            self._ranked[task] = self._so_far.ranked(task, retries=retries)
        there = [saved for models in self._saved.values() for saved in models]
        saved = Saved(
            current={s.model.trial: s.model for s in there if s.use == "current"},
            stale=[s.model for s in there if s.use == "stale"],
            unsaved=tuple(self._unsaved),
        )
        cells = [cell for ranked in self._ranked.values() for cell in ranked]
        chosen = kept_models(cells, saved, self._keep_gib, self._before)
        if chosen != self._before:
            self._ledger.write_weights(chosen)
            self._before = chosen
        gone = [s for s in there if s.model not in chosen.kept or s.use == "none"]
        drop(self._ledger, gone)
        for one in gone:
            self._saved[one.model.trial].remove(one)
        return chosen


def keeper_of(
    ledger: Ledger, sweep: SweepRecord, keep: KeepWeights, keep_gib: float
) -> FrontierWeights | None:
    """Return what drops weights while the sweep runs; None where none of them may be dropped."""
    whole = any(method.settings.trains_everything for method in sweep.methods.values())
    return FrontierWeights(ledger, keep_gib) if keep == "frontier" and whole else None
