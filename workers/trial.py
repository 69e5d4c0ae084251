"""One trial from its order to its test scores: prepare, train, score, export.

Each step returns a record of what it measured. `run_trial` yields the records so far whenever there are new
ones, so that an attempt that fails still reports what came before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.kept_weights import GIB
from orchestrator.contracts.layout import MODEL
from orchestrator.contracts.metrics import Metrics
from orchestrator.contracts.outcome import ClassAnswers, Device, Parameters, PhaseSeconds, Serving, StartEvent
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Phase, Precision, Split
from workers.batches import FlatSplit
from workers.checkpoint import (
    Checkpoint,
    TrainProgress,
    UnreadableCheckpointError,
    Weights,
    load_trained_weights,
)
from workers.distributed.ranks import Ranks, first_of_machine, join
from workers.distributed.sharding import refuse_method, spreads_weights
from workers.evaluate import check_seen, evaluate
from workers.export import Sample, export_model, verify_answers, verify_saved_bits
from workers.inputs import DataSpec, TaskData, read_examples
from workers.metering.gauges import Gauges
from workers.metering.latency import measure
from workers.metering.meter import Meter, Work
from workers.methods import Adapted, Counted
from workers.models.backbones import count_planned
from workers.models.content import check_content
from workers.models.limits import check_fits
from workers.models.scans import scan_software
from workers.models.tokenizers import load_tokenizer
from workers.models.trial_model import make_model
from workers.models.weights import weights_directory
from workers.prepared_data import InputRecord, count_inputs, find_prepared, prepare
from workers.runtime.devices import set_up_devices
from workers.runtime.gpus import check_gpus
from workers.runtime.records import EventLog
from workers.schedule import Budget, steps_of_an_epoch
from workers.train import TrainContext, train


@dataclass(frozen=True)
class ScoreRecord:
    """The scores of the test part, and how fast the model answers."""

    metrics: Metrics = field(default_factory=dict)
    examples: ScoredExamples | None = None
    classes: dict[str, ClassAnswers] = field(default_factory=dict)  # of a fold
    serving: tuple[Serving, ...] = ()


@dataclass(frozen=True)
class TrialRecords:
    """The records of the steps that an attempt has completed so far. Training keeps `progress` up to date."""

    progress: TrainProgress
    inherited_phases: PhaseSeconds = field(default_factory=dict)
    inherited_work: Work = field(default_factory=dict)
    resumed_from_step: int | None = None
    device: Device | None = None
    epoch_steps: int | None = None
    planned_steps: int | None = None
    inputs: InputRecord = field(default_factory=InputRecord)
    parameters: Parameters | None = None
    scores: ScoreRecord = field(default_factory=ScoreRecord)
    saved_bytes: int | None = None


@dataclass(frozen=True)
class _Machine:
    """The devices of the attempt, the ranks that share them, and the folder of the weights."""

    weights: Path
    ranks: Ranks
    accelerator: Accelerator
    device: Device


@dataclass(frozen=True)
class _PreparedModel:
    adapted: Adapted
    tokenizer: Any
    counted: Counted


def run_trial(
    order: AttemptOrder, gauges: Gauges, meter: Meter, log: EventLog, stopping: Callable[[], bool]
) -> Iterator[TrialRecords]:
    """Train and score as ordered, and yield the records whenever a step adds to them.

    A candidate of a search is scored on dev only, and none of its weights are saved. Every rank runs this
    with its part of every batch. Raises FrontierError for wrong input, DivergedError, CollapsedError,
    PreemptedError.
    """
    records, checkpoint = _resume(order)
    yield records
    log.write(
        StartEvent(
            at=log.now(),
            attempt=order.attempt,
            resumed_from_step=records.resumed_from_step,
            inherited_phases=records.inherited_phases,
        )
    )
    machine = _prepare_machine(order)
    yield (records := replace(records, device=machine.device))
    gauges.devices_settled()

    meter.enter(Phase.TOKENISE)
    spec = DataSpec.of(order)
    prepared = find_prepared(spec)
    if prepared is None:
        examples = read_examples(spec)
        yield (records := _with_inputs(order, records, count_inputs(examples)))
        tokenizer = load_tokenizer(order.trial.backbone, machine.weights)
        prepared = prepare(spec, examples, records.inputs, tokenizer)
        del examples
    data = prepared.data
    yield (records := _with_inputs(order, records, prepared.record))

    meter.enter(Phase.LOAD)
    model = _prepare_model(order, machine, records)
    adapted = model.adapted
    yield (records := replace(records, parameters=adapted.parameters))
    yield (records := replace(records, device=_with_scans(order, machine)))
    gauges.model_built(adapted.model, model.counted.blank.model)
    check_fits(order.trial.backbone, model.counted.folder, data, order.trial.method.settings.extra_tokens)
    check_seen(spec.task, data.labels, {split: data.parts[split] for split in spec.scored})

    inherited = records.inherited_phases, records.inherited_work
    ctx = TrainContext(order, machine.accelerator, meter, log, stopping, *inherited, machine.ranks)
    best = train(adapted, data, records.progress, checkpoint, ctx)
    gauges.compare(machine.ranks)
    if order.trial.candidate is not None:
        return

    meter.enter(Phase.TEST)
    load_trained_weights(adapted.model, best)
    threshold = records.progress.best_threshold
    scores = _score(order, machine, adapted, data, threshold)
    yield (records := replace(records, scores=scores))
    gauges.compare(machine.ranks)
    if machine.ranks.count == 1 and not order.resources.shares_a_gpu:
        # A service is one process that has its device to itself.
        meter.enter(Phase.SERVE)
        serving = measure(adapted.model, data.test, order.evaluation_size, data.pad, meter.elapsed())
        yield (records := replace(records, scores=replace(scores, serving=serving)))

    meter.enter(Phase.CHECKPOINT)
    sample = None if spreads_weights(order.resources) else Sample.of(adapted.model, data)
    if machine.ranks.leads:
        directory = Path(order.directory) / MODEL
        most = None if order.keep_gib is None else order.keep_gib * GIB
        saved_bytes = export_model(adapted, model.tokenizer, directory, order.keep_weights, best, most)
        yield replace(records, saved_bytes=saved_bytes)
        if saved_bytes is not None and adapted.is_adapter:
            _verify_export(machine, adapted, directory, sample, best)


def _resume(order: AttemptOrder) -> tuple[TrialRecords, Checkpoint | None]:
    """Return the checkpoint to resume from, and the records that it continues. The trial starts from the
    beginning where the checkpoint is damaged."""
    fresh = TrialRecords(TrainProgress(order.trial.fingerprint))
    if order.resume_from is None:
        return fresh, None
    try:
        checkpoint = Checkpoint(Path(order.resume_from), order.trial.fingerprint, order.resources)
    except UnreadableCheckpointError:
        return fresh, None
    progress = checkpoint.progress
    return TrialRecords(progress, dict(progress.phases), dict(progress.work), progress.step), checkpoint


def _prepare_machine(order: AttemptOrder) -> _Machine:
    """Check the weights and GPUs, meet the other ranks, set up the devices."""
    backbone, resources, recipe = order.trial.backbone, order.resources, order.trial.recipe
    weights = weights_directory(backbone, Path(order.cache_dir), fetch=False)
    if order.weights and first_of_machine():
        check_content(backbone, weights, order.weights)
    check_gpus(resources)
    ranks = join(resources, Path(order.directory))
    accelerator, device = set_up_devices(
        resources, recipe.precision, recipe.max_grad_norm, deterministic=order.deterministic
    )
    return _Machine(weights, ranks, accelerator, device)


def _with_inputs(order: AttemptOrder, records: TrialRecords, inputs: InputRecord) -> TrialRecords:
    """Add what the data hold, and the steps that follow from it."""
    recipe = order.trial.recipe
    epoch_steps = steps_of_an_epoch(inputs.rows[Split.TRAIN], recipe.batch_size)
    planned_steps = Budget.of(recipe, epoch_steps).steps
    return replace(records, inputs=inputs, epoch_steps=epoch_steps, planned_steps=planned_steps)


def _prepare_model(order: AttemptOrder, machine: _Machine, records: TrialRecords) -> _PreparedModel:
    trial, settings, labels = order.trial, order.trial.method.settings, records.inputs.labels
    refuse_method(settings, order.resources, machine.device.precision)
    counted = count_planned(trial.backbone, machine.weights, settings, trial.task.kind, len(labels))
    adapted, tokenizer = make_model(
        order,
        machine.weights,
        labels,
        machine.device.precision,
        records.planned_steps,
        counted,
        machine.accelerator,
        machine.ranks,
    )
    return _PreparedModel(adapted, tokenizer, counted)


def _with_scans(order: AttemptOrder, machine: _Machine) -> Device:
    """Return the device with the kernels that a state-space model uses among its software."""
    software = machine.device.software | scan_software(order.trial.backbone)
    return machine.device.model_copy(update={"software": software})


def _score(
    order: AttemptOrder,
    machine: _Machine,
    adapted: Adapted,
    data: TaskData,
    threshold: float | None,
) -> ScoreRecord:
    tested = evaluate(
        adapted.model,
        data.test,
        FlatSplit(data.test, data.pad, machine.accelerator.device),
        order.trial.task,
        data.labels,
        batch_size=order.evaluation_size,
        ranks=machine.ranks,
        documents=data.documents,
        threshold=threshold,
    )
    return ScoreRecord(
        tested.metrics, tested.examples, classes={} if order.trial.fold is None else tested.classes
    )


def _verify_export(
    machine: _Machine, adapted: Adapted, directory: Path, sample: Sample | None, best: Weights
) -> None:
    """Load the adapter that was saved. Raises UnfaithfulCopyError where it is not the trained one."""
    if sample is None:
        verify_saved_bits(adapted, directory, best)
    else:
        half = adapted.settings.quantised_to is not None or machine.device.precision is not Precision.FP32
        verify_answers(adapted, directory, sample, half=half)
