"""One pass over the records of trials: what the report is made of, and nothing of a record kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from orchestrator.contracts.caveats import Counted
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.outcome import REFERENCE_SCAN
from orchestrator.contracts.record import Record
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import FailureKind, Phase, Signature, Split, TrialState
from orchestrator.report.results.cells import CellResults, ExamplesOf
from orchestrator.report.results.guessing import Guess, KnownClasses, guess
from orchestrator.report.results.phases import PhaseTally
from orchestrator.tracking.trial_costs import Tally

CAPPED_SPLITS = ("train", "dev")


class FailedTrial(Record):
    trial: str
    kind: FailureKind
    phase: Phase
    message: str
    places: tuple[str, ...]
    attempts: int


class Collected:
    """What one pass over the records leaves."""

    def __init__(
        self,
        sweep: SweepRecord,
        examples_of: ExamplesOf = lambda attempt: None,
    ) -> None:
        self._sweep, self._examples_of = sweep, examples_of
        self.cells: dict[Cell, CellResults] = {}
        self.capped: dict[str, set[tuple[str, int, int]]] = {}  # task -> (split, rows used, rows there)
        self._counted: dict[str, dict[Split, dict[str, SplitCounts]]] = {}  # by task and content
        self._guessing: dict[str, KnownClasses] = {}  # by task
        self.data_changed: Counter[str] = Counter()  # by task: results that may be of other rows
        self.collapsed: list[str] = []
        self.faulty: Counter[str] = Counter()  # machine with a GPU that failed -> attempts that it ended
        self.reference_scans: set[str] = set()  # models
        self.failed: list[FailedTrial] = []
        self.stale: list[str] = []
        self.unfinished: list[str] = []
        self.until: float | None = None
        self.tally = Tally()
        self.phases = PhaseTally()

    def counted(self, task: str) -> Counted:
        """What trials of a task have counted, each different count of a split once."""
        return {split: list(counts.values()) for split, counts in self._counted.get(task, {}).items()}

    def classes(self, task: str) -> Mapping[str, int]:
        """Training rows by class, as the trial with the most of them tells."""
        class_counts = self._guessing[task].counts if task in self._guessing else None
        return {} if class_counts is None else class_counts.classes

    def guessing(self, task: TaskSpec) -> Guess:
        """What guessing gives on the test part of a task."""
        known = self._guessing.get(task.name)
        return guess(task, None if known is None else known.counts)

    def add_beside(self, record: TrialRecord) -> None:
        """Of a candidate, or of a trial that the grid no longer holds: what it cost, and nothing else."""
        self.tally.add(record, planned=False)
        self.phases.add(record)
        self._add_faults(record)

    def _add_faults(self, record: TrialRecord) -> None:
        for attempt in record.attempts:
            failure = None if attempt.outcome is None else attempt.outcome.failure
            if failure is not None and failure.kind is FailureKind.DEVICE:
                self.faulty[failure.machine or "a machine that is not recorded"] += 1

    def add(self, record: TrialRecord) -> None:
        cell = record.planned.cell
        self.tally.add(record)
        self.phases.add(record)
        self._add_faults(record)
        results = self.cells.setdefault(cell, CellResults(cell, self._sweep.tasks[cell.task]))
        results.add(record, self._examples_of, self._sweep.standalone)
        if record.state is TrialState.STALE:
            self.stale.append(record.name)
        elif record.state in (TrialState.UNFINISHED, TrialState.NEW):
            self.unfinished.append(record.name)
        outcome = record.outcome
        if outcome is None:
            return
        if outcome.signature is Signature.COLLAPSED or (
            outcome.failure is not None and outcome.failure.kind is FailureKind.COLLAPSED
        ):
            self.collapsed.append(record.name)
        if outcome.device is not None and outcome.device.software.get("scan") == REFERENCE_SCAN:
            self.reference_scans.add(cell.model)
        self.until = max(self.until or outcome.ended_at, outcome.ended_at)
        if record.state is TrialState.FINISHED:
            self.data_changed[cell.task] += self._sweep.data_changed(cell.task, outcome.ended_at)
        for part, counts in outcome.counted.items():
            by_split = self._counted.setdefault(cell.task, {})
            by_split.setdefault(part, {})[counts.model_dump_json()] = counts
        for split in CAPPED_SPLITS:
            used, available = outcome.rows.get(split), outcome.rows.get(f"{split}_available")
            if used is not None and available is not None and used < available:
                self.capped.setdefault(cell.task, set()).add((split, used, available))
        self._guessing.setdefault(cell.task, KnownClasses()).add(record.planned, outcome)
        if record.state is TrialState.FAILED and outcome.failure is not None:
            failure = outcome.failure.model_dump(include={"kind", "phase", "message", "places"})
            self.failed.append(FailedTrial(trial=record.name, attempts=len(record.current), **failure))
