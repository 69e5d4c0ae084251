"""The training loop, top to bottom."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from orchestrator.contracts.layout import CHECKPOINTS
from orchestrator.contracts.metrics import quality
from orchestrator.contracts.outcome import CheckpointEvent, EvaluationEvent, PhaseSeconds, StepEvent
from orchestrator.contracts.phase_work import add_work
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Phase
from workers.batches import FlatSplit, Rows, epoch_batches
from workers.checkpoint import Checkpoint, TrainProgress, Weights, clone_weights, trained_weights
from workers.checkpoint_writer import CheckpointWriter
from workers.class_weights import weights_of
from workers.distributed.ranks import ALONE, Ranks
from workers.distributed.sharding import (
    backward,
    clip_gradients,
    prepare,
    sharded_state,
    sync_gradients,
)
from workers.distributed.spreading import shard_model
from workers.evaluate import DivergedError, evaluate
from workers.frozen import splits_on_device
from workers.inputs import TaskData
from workers.learning_curve import DevScore
from workers.losses import summed_loss
from workers.metering.gauges import merge_measurements
from workers.metering.meter import Meter, Work, add_phases, parse_work, plain_work
from workers.methods import Adapted
from workers.models.masks import padding_known
from workers.runtime.records import EventLog, is_superseded
from workers.schedule import Budget, steps_of_an_epoch

_LOG_EVERY = 10  # optimiser steps: reading the loss waits for the device


class PreemptedError(Exception):
    """The attempt was asked to stop; a checkpoint of the last step exists."""


class SupersededError(PreemptedError):
    """The driver took the attempt for lost, and another one has resumed from its checkpoints."""


class CollapsedError(Exception):
    """An evaluation after the grace period is collapsed, and the recipe sets stop_collapsed."""


@dataclass(frozen=True)
class TrainContext:
    """What the loop needs from its process. `stopping` says whether it was asked to stop."""

    order: AttemptOrder
    accelerator: Accelerator
    meter: Meter
    log: EventLog
    stopping: Callable[[], bool]
    inherited: PhaseSeconds  # what the checkpoint had spent
    inherited_work: Work
    ranks: Ranks = ALONE

    def train_seconds(self) -> float:
        """Return the training seconds of all attempts so far."""
        return self.inherited.get(Phase.TRAIN, 0.0) + self.meter.seconds_of(Phase.TRAIN)


def train(
    adapted: Adapted,
    data: TaskData,
    progress: TrainProgress,
    start: Checkpoint | None,
    ctx: TrainContext,
) -> Weights:
    """Train until the budget is spent. Return the weights of the best evaluation on dev: of equals the first,
    and the last one where the metric is missing in all of them.

    The model ends up with its last weights. `progress` is kept up to date. With `start`, resume from there
    exactly: to the last bit on the CPU, and on a GPU with `deterministic`. The training phase is entered
    here; its seconds are those of a budget of seconds. All ranks run this in step. Raises DivergedError,
    CollapsedError, PreemptedError, each in all of them.
    """
    recipe, seed = ctx.order.trial.recipe, ctx.order.trial.seed
    shard_model(adapted.model, ctx.accelerator, ctx.order.resources)
    optimiser = adam_w(adapted.model, recipe)
    best: Weights | None = None
    if start is not None:
        best = start.restore(adapted, optimiser, ctx.ranks)
    model, optimiser = prepare(ctx.accelerator, adapted.model, optimiser, ctx.order.resources)
    if start is not None:
        start.restore_sharded_state(model, optimiser, ctx.ranks)
    examples, dev = splits_on_device(adapted, data, ctx.order, ctx.accelerator.device)
    if recipe.class_weights is not None:
        examples.weigh(weights_of(data.train, len(data.labels)))
    epoch_steps = steps_of_an_epoch(len(data.train), recipe.batch_size)
    budget = Budget.of(recipe, epoch_steps)
    losses: list[Tensor] = []
    begins = progress.step
    adapted.train_mode()
    ctx.meter.enter(Phase.TRAIN)
    with checkpoint_writer(ctx) as writer:
        while budget.share(*(spent := (progress.step, progress.train_seconds))) < 1:
            epoch, batch_index = divmod(progress.step, epoch_steps)
            if batch_index == 0 or progress.step == begins:
                batches = examples.rows(epoch_batches(examples.lengths, recipe.batch_size, seed, epoch))
            batch, rate = batches[batch_index], budget.rate(*spent)
            losses.append(optimiser_step(adapted, model, optimiser, examples, batch, rate, ctx))
            progress.step += 1
            adapted.after_step(progress.step)
            if budget.seconds is not None:
                losses[-1].item()  # waits for the device: the clock must not run behind the steps
            progress.tokens += sum(examples.lengths[i] for i in batch.places)
            agreed = ctx.ranks.agree(ctx.stopping(), ctx.train_seconds(), writer.waited())
            progress.train_seconds = agreed.train_seconds
            now_spent = progress.step, progress.train_seconds
            scoring = budget.evaluations_due(*now_spent) > budget.evaluations_due(*spent)
            saving = agreed.stopping or save_is_due(ctx.order, agreed.waited, scoring)
            if scoring or saving or len(losses) == _LOG_EVERY:
                log_losses(ctx, losses, rate, progress, budget.steps)
                losses.clear()
            if scoring:
                with ctx.meter.within(Phase.EVALUATE):
                    if score_dev(adapted.model, data, dev, progress, epoch_steps, ctx):
                        best = clone_weights(trained_weights(adapted.model))
                stop_if_collapsed(recipe, budget, progress)
                adapted.train_mode()
            if saving:
                save_progress(adapted, model, optimiser, best, progress, writer, ctx)
            if agreed.stopping:
                await_written(writer, ctx)
                raise PreemptedError
        await_written(writer, ctx)
    assert best is not None  # the budget ends with an evaluation
    return best


def adam_w(model: Any, recipe: Recipe) -> torch.optim.Optimizer:
    """Return AdamW over what trains, without weight decay for biases, norms, and IA3's factors (neutral at
    1)."""
    decayed: list[Any] = []
    spared: list[Any] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            spare = parameter.ndim < 2 or "ia3_" in name
            (spared if spare else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=recipe.learning_rate, fused=True)


def optimiser_step(
    adapted: Adapted,
    model: Any,
    optimiser: Any,
    examples: FlatSplit,
    batch: Rows,
    rate: float,
    ctx: TrainContext,
) -> Tensor:
    """Take one step on `batch` of `examples`, in forward passes of the order's size. Return this rank's part
    of the mean loss, on the device.

    The mean is over the targets of the whole batch (examples; words for ner), however they fall into ranks
    and passes; class weights, where there are any, multiply each target's part. All ranks make the same
    number of passes: one that has no example left in it learns nothing from its pass. `model` and `optimiser`
    are the prepared ones. A penalty of the method is not in the mean."""
    accelerator, size, ranks = ctx.accelerator, ctx.order.pass_size, ctx.ranks
    for group in optimiser.param_groups:
        group["lr"] = rate
    targets = max(1, sum(examples.targets[i] for i in batch.places))
    total = torch.zeros((), device=accelerator.device)
    mine, longest = batch[ranks.rank :: ranks.count], math.ceil(len(batch) / ranks.count)
    for first in range(0, longest, size):
        part, last = mine[first : first + size], first + size >= longest
        passed = examples.batch(part or batch[:1])
        with sync_gradients(accelerator, model, last), padding_known(passed.padded, accelerator.device):
            logits, weights = model(**passed.inputs).logits.float(), examples.class_weights
            loss = summed_loss(examples.objective, logits, passed.labels, weights) / targets
            loss = loss if part else 0 * loss
            total += loss.detach()
            summed = loss if ranks.count == 1 else loss * ranks.count  # gradients of ranks are averaged
            penalty = adapted.penalty() if last else None
            backward(accelerator, summed if penalty is None else summed + penalty)
    trained = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    clip_gradients(accelerator, trained, ctx.order.trial.recipe.max_grad_norm)
    optimiser.step()
    optimiser.zero_grad()
    return total


def score_dev(
    model: Any,
    data: TaskData,
    dev: FlatSplit,
    progress: TrainProgress,
    epoch_steps: int,
    ctx: TrainContext,
) -> bool:
    """Score dev, which is on the device, log it, and return whether it is the best so far."""
    size = ctx.order.evaluation_size
    evaluation = evaluate(model, data.dev, dev, data.task, data.labels, batch_size=size, ranks=ctx.ranks)
    metrics = evaluation.metrics
    score, best_so_far = quality(data.task.metric, metrics), progress.best_quality
    # Of evaluations without the metric the latest is best: only the training distinguishes them.
    best = best_so_far is None or (score is not None and score > best_so_far)
    if best:
        progress.best_step, progress.best_quality, progress.best_metrics = progress.step, score, metrics
        progress.best_threshold = evaluation.threshold
    scored = DevScore(progress.step, ctx.train_seconds(), score, evaluation.collapsed)
    progress.curve.append(scored)
    ctx.log.write(
        EvaluationEvent(
            at=ctx.log.now(),
            step=progress.step,
            epoch=progress.step / epoch_steps,
            metrics=metrics,
            best=best,
            train_seconds=scored.train_seconds,
            collapsed=scored.collapsed,
        )
    )
    return best


def stop_if_collapsed(recipe: Recipe, budget: Budget, progress: TrainProgress) -> None:
    """Raises CollapsedError where the recipe sets stop_collapsed; otherwise a trial continues, and may
    recover."""
    graced = budget.share(progress.step, progress.train_seconds) < recipe.collapse_grace
    if recipe.stop_collapsed and progress.curve[-1].collapsed and not graced:
        raise CollapsedError


def save_is_due(order: AttemptOrder, waited: float, scored: bool) -> bool:
    """Return whether to save now: when the writer says so, or with `checkpoint_seconds: 0` after each
    evaluation."""
    return scored if order.checkpoint_seconds == 0 else waited >= 1


def checkpoint_writer(ctx: TrainContext) -> CheckpointWriter:
    """Return the attempt's writer, which logs an event for each complete checkpoint."""
    order, log = ctx.order, ctx.log
    return CheckpointWriter(
        Path(order.directory) / CHECKPOINTS,
        order.checkpoint_seconds,
        ctx.meter.now,
        lambda step: log.write(CheckpointEvent(at=log.now(), step=step)),
    )


def save_progress(
    adapted: Adapted,
    model: Any,
    optimiser: Any,
    best: Weights | None,
    progress: TrainProgress,
    writer: CheckpointWriter,
    ctx: TrainContext,
) -> None:
    """Save a checkpoint. Raises SupersededError in rank 0 where another attempt has taken over, and what
    writing the previous checkpoint raised."""
    if ctx.ranks.leads and is_superseded(Path(ctx.order.directory)):
        raise SupersededError
    with ctx.meter.within(Phase.CHECKPOINT):
        progress.phases = add_phases(ctx.inherited, ctx.meter.seconds())
        gathered = ctx.ranks.gather(plain_work(ctx.meter.work()))
        progress.work = add_work(
            ctx.inherited_work, merge_measurements([parse_work(each) for each in gathered])
        )
        sharded = sharded_state(model, optimiser, ctx.order.resources)
        writer.save(adapted, sharded, best, progress, ctx.ranks)


def await_written(writer: CheckpointWriter, ctx: TrainContext) -> None:
    """Return when the last checkpoint is written. Raises what writing it raised."""
    with ctx.meter.within(Phase.CHECKPOINT):
        writer.wait()


def log_losses(
    ctx: TrainContext, losses: list[Tensor], rate: float, progress: TrainProgress, planned: int | None
) -> None:
    """Raises DivergedError if one is not finite: weights after such a step are never scored or kept."""
    loss = ctx.ranks.total(torch.stack(losses)).mean().item()
    if not math.isfinite(loss):
        raise DivergedError
    ctx.log.write(
        StepEvent(
            at=ctx.log.now(),
            step=progress.step,
            planned_steps=planned,
            loss=loss,
            learning_rate=rate,
            tokens=progress.tokens,
        )
    )
