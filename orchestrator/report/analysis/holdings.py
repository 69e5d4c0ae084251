"""What each cell of a finished sweep has used, from its trials: device time, energy, memory. No prices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.contracts.compared_cost import compared_device_seconds, shared_a_gpu
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.probe import Standalone
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import Phase, Source, TrialState
from orchestrator.report.results.cells import CellResults, ExamplesOf, key_of
from orchestrator.report.results.failed_seeds import Counting, seed_scores
from orchestrator.report.results.frontier_so_far import of_folds
from orchestrator.report.results.guessing import KnownClasses, guess
from orchestrator.report.results.result import Key
from orchestrator.tracking.energy import Energy, energy_of
from orchestrator.tracking.price_terms import Amount, Terms
from orchestrator.tracking.prices import DeviceUse, estimated, measured, missing_amount


@dataclass
class Holding:
    """The finished trials of one cell under one comparison key."""

    cell: Cell
    key: Key
    qualities: list[float] = field(default_factory=list)
    parameters: int | None = None
    devices: float = 1.0
    tuned: list[DeviceUse] = field(default_factory=list)
    trained: list[DeviceUse] = field(default_factory=list)
    served: list[DeviceUse] = field(default_factory=list)  # of one request, at the batch of the terms
    memory: list[Amount] = field(default_factory=list)  # bytes

    @property
    def name(self) -> str:
        return self.cell.label

    @property
    def quality(self) -> float | None:
        return math.fsum(self.qualities) / len(self.qualities) if self.qualities else None


def holdings_of(
    sweep: SweepRecord,
    trials: Iterable[TrialRecord],
    terms: Terms,
    examples_of: ExamplesOf = lambda attempt: None,
) -> list[Holding]:
    """Return what the finished trials used, by cell and comparison key, with the scores of the report: those
    of seeds that failed as well. `terms` say at which batch a request is served; `examples_of` as for
    `build_report`, asked for folds only."""
    holdings: dict[tuple[Cell, Key], Holding] = {}
    results: dict[Cell, CellResults] = {}
    classes: dict[str, KnownClasses] = {}  # by task
    for record in trials:
        outcome, cell = record.outcome, record.planned.cell
        of_cell = results.setdefault(cell, CellResults(cell, sweep.tasks[cell.task]))
        of_cell.add(record, of_folds(record, examples_of), sweep.standalone)
        if outcome is None:
            continue
        classes.setdefault(cell.task, KnownClasses()).add(record.planned, outcome)
        if record.state is not TrialState.FINISHED:
            continue
        key = key_of(record, outcome)
        if (cell, key) not in holdings:
            holdings[cell, key] = Holding(cell, key, tuned=_search(cell, sweep))
        _note(holdings[cell, key], record, outcome, terms, sweep.standalone)
    for (cell, key), holding in holdings.items():
        task = sweep.tasks[cell.task]
        guessed = guess(task, classes[cell.task].counts).scores
        scores = seed_scores(results[cell], key, Counting(sweep.failures, task.metric, guessed))
        holding.qualities = [score.quality for score in scores]
    return list(holdings.values())


def _search(cell: Cell, sweep: SweepRecord) -> list[DeviceUse]:
    tuned = sweep.tuned.get(cell.name)
    return [] if tuned is None else [DeviceUse(tuned.device_type, tuned.device_seconds)]


def _note(
    holding: Holding,
    record: TrialRecord,
    outcome: Outcome,
    terms: Terms,
    standalone: Mapping[str, Standalone],
) -> None:
    device_type = record.decisive.device_type if record.decisive else ""
    if shared_a_gpu(record):
        holding.trained.append(DeviceUse(device_type, compared_device_seconds(record, standalone)))
    else:
        took = sum(s.useful + s.overhead for s in record.spending if s.device_type == device_type)
        holding.trained.append(
            DeviceUse(device_type, took, energy_of(outcome, outcome.result_work, device_type))
        )
    if outcome.parameters is not None:
        holding.parameters = outcome.parameters.total
    holding.memory.append(_memory(outcome))
    if not outcome.serving or shared_a_gpu(record):
        return
    sizes = sorted(outcome.serving, key=lambda served: served.batch_size)
    served = sizes[0] if terms.batch == "one" else sizes[-1]
    holding.devices = outcome.device.count if outcome.device is not None else 1.0
    seconds = 1 / served.examples_per_second
    energy = _serving_energy(outcome, device_type, seconds)
    holding.served.append(DeviceUse(device_type, seconds * holding.devices, energy))


def _serving_energy(outcome: Outcome, device_type: str, seconds: float) -> Energy | None:
    """Estimate the energy of a request from the mean power of the whole phase, warm-up and both batch sizes
    included: no request has a meter of its own."""
    work, spent = outcome.work.get(Phase.SERVE), outcome.phases.get(Phase.SERVE)
    metered = energy_of(outcome, work, device_type) if work and spent else None
    if metered is None or metered.joules is None or not spent:
        return None
    why = "a request at the mean power of the phase in which serving was timed"
    return Energy(metered.joules / spent * seconds, Source.ESTIMATED, why)


def _memory(outcome: Outcome) -> Amount:
    work = outcome.work.get(Phase.SERVE)
    on_gpu = outcome.peak_device_memory_bytes is not None
    while_serving = work and (work.peak_device_memory_bytes if on_gpu else work.peak_host_memory_bytes)
    if while_serving:
        return measured(while_serving)
    peak = outcome.peak_device_memory_bytes or outcome.peak_host_memory_bytes
    return (
        missing_amount("it was not recorded")
        if peak is None
        else estimated(peak, "the peak of the whole trial")
    )
