"""One trial from its order to its test scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.layout import MODEL
from orchestrator.contracts.metrics import MetricName, Metrics
from orchestrator.contracts.outcome import Device, Parameters, PhaseSeconds, Serving, StartEvent
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Phase, Precision, Split
from workers.batches import FlatSplit
from workers.checkpoint import Checkpoint, Progress, UnreadableCheckpointError, put_back
from workers.data import check_scorable
from workers.distributed.ranks import first_of_machine, join
from workers.distributed.sharding import refuse_method, spreads_weights
from workers.evaluate import check_seen, evaluate
from workers.export import Sample, keep_model, prove_kept, prove_written
from workers.guessing import guessing
from workers.inputs import encode_examples, read_examples
from workers.metering.gauges import Gauges
from workers.metering.latency import measure
from workers.metering.meter import Meter, Work
from workers.models.backbones import planned
from workers.models.content import check_content
from workers.models.limits import check_fits
from workers.models.scans import scan_software
from workers.models.trial_model import make_model
from workers.models.weights import weights_directory
from workers.runtime.devices import settle
from workers.runtime.gpus import check_gpus
from workers.runtime.records import EventLog
from workers.schedule import Budget, steps_of_an_epoch
from workers.train import Surroundings, train


@dataclass
class Account:
    """What is known of an attempt so far. A failed one reports what it holds by then."""

    progress: Progress
    gauges: Gauges
    planned_steps: int | None = None
    epoch_steps: int | None = None
    device: Device | None = None
    parameters: Parameters | None = None
    rows: dict[str, int] = field(default_factory=dict)
    splits: dict[Split, SplitCounts] = field(default_factory=dict)
    train_classes: dict[str, int] = field(default_factory=dict)
    guessing: dict[MetricName, float] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    test: Metrics = field(default_factory=dict)
    examples: ScoredExamples | None = None  # of the test part
    inherited_phases: PhaseSeconds = field(default_factory=dict)
    inherited_work: Work = field(default_factory=dict)
    resumed_from_step: int | None = None
    saved_bytes: int | None = None
    serving: tuple[Serving, ...] = ()


def carry_out(
    order: AttemptOrder, account: Account, meter: Meter, log: EventLog, stopping: Callable[[], bool]
) -> None:
    """Trains and scores as ordered, and fills in `account` on the way.

    A candidate of a search is scored on dev alone, and keeps no weights. Several ranks all do this, each with
    its part of every batch. Raises FrontierError for wrong input, DivergedError, CollapsedError,
    PreemptedError.
    """
    trial, task, resources = order.trial, order.trial.task, order.resources
    start = _resume(order, account)
    log.write(
        StartEvent(
            at=log.now(),
            attempt=order.attempt,
            resumed_from_step=account.resumed_from_step,
            inherited_phases=account.inherited_phases,
        )
    )

    directory = weights_directory(trial.backbone, Path(order.cache_dir), fetch=False)
    if order.weights and first_of_machine():
        check_content(trial.backbone, directory, order.weights)
    check_gpus(resources)
    ranks = join(resources, Path(order.directory))
    recipe = trial.recipe
    accelerator, account.device = settle(
        resources, recipe.precision, recipe.max_grad_norm, deterministic=order.deterministic
    )
    account.gauges.devices_settled()
    meter.enter(Phase.TOKENISE)
    examples = read_examples(order)
    account.labels, account.rows, account.splits = examples.labels, examples.rows, examples.counts
    account.train_classes = examples.train_classes
    account.epoch_steps = steps_of_an_epoch(len(examples.splits[Split.TRAIN]), trial.recipe.batch_size)
    scored = (Split.DEV,) if trial.candidate is not None else (Split.DEV, Split.TEST)
    check_scorable(task, examples.labels, {split: examples.splits[split] for split in scored})
    if Split.TEST in scored:
        account.guessing = guessing(
            task, examples.labels, examples.splits[Split.TRAIN], examples.splits[Split.TEST]
        )
    account.planned_steps = Budget.of(trial.recipe, account.epoch_steps).steps

    meter.enter(Phase.LOAD)
    settings = trial.method.settings
    refuse_method(settings, resources, account.device.precision)
    counted = planned(trial.backbone, directory, settings, task.kind, len(examples.labels))
    adapted, tokenizer = make_model(
        order,
        directory,
        examples.labels,
        account.device.precision,
        account.planned_steps,
        counted,
        accelerator,
        ranks,
    )
    account.parameters = adapted.parameters
    software = account.device.software | scan_software(trial.backbone)
    account.device = account.device.model_copy(update={"software": software})
    account.gauges.model_built(adapted.model, counted.blank.model)

    meter.enter(Phase.TOKENISE)
    data = encode_examples(examples, task, tokenizer, trial.recipe.max_length, trial.backbone.name)
    account.splits = data.counts
    check_fits(trial.backbone, counted.folder, data, settings.extra_tokens)
    check_seen(task, data.labels, {split: part for split, part in data.parts.items() if split in scored})

    meter.enter(Phase.LOAD)
    inherited = account.inherited_phases, account.inherited_work
    around = Surroundings(order, accelerator, meter, log, stopping, *inherited, ranks)
    best = train(adapted, data, account.progress, start, around)
    account.gauges.compare(ranks)
    if trial.candidate is not None:
        return

    meter.enter(Phase.TEST)
    put_back(adapted.model, best)
    size = order.evaluation_size
    tested = evaluate(
        adapted.model,
        data.test,
        FlatSplit(data.test, data.pad, accelerator.device),
        task,
        data.labels,
        batch_size=size,
        ranks=ranks,
        examples=examples.splits[Split.TEST],
    )
    account.test, account.examples = tested.metrics, tested.examples
    account.gauges.compare(ranks)
    if ranks.count == 1 and not resources.shares_a_gpu:  # a service is one process, alone on its device
        meter.enter(Phase.SERVE)
        account.serving = measure(adapted.model, data.test, size, data.pad)
    meter.enter(Phase.CHECKPOINT)
    sample = None if spreads_weights(resources) else Sample.of(adapted.model, data)
    if not ranks.leads:
        return
    kept = Path(order.directory) / MODEL
    account.saved_bytes = keep_model(adapted, tokenizer, kept, order.keep_weights, best)
    if account.saved_bytes is None or not adapted.is_adapter:
        return
    if sample is None:
        prove_written(adapted, kept, best)
    else:
        half = settings.quantised_to is not None or account.device.precision is not Precision.FP32
        prove_kept(adapted, kept, sample, half=half)


def _resume(order: AttemptOrder, account: Account) -> Checkpoint | None:
    """The checkpoint to go on from. A damaged one costs time, never the trial: it then starts afresh."""
    if order.resume_from is None:
        return None
    try:
        start = Checkpoint(Path(order.resume_from), order.trial.fingerprint, order.resources)
    except UnreadableCheckpointError:
        return None
    account.progress = start.progress
    account.inherited_phases = dict(start.progress.phases)
    account.inherited_work = dict(start.progress.work)
    account.resumed_from_step = start.progress.step
    return start
