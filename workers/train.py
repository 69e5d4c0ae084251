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
from torch.nn.functional import cross_entropy

from orchestrator.contracts.layout import CHECKPOINTS
from orchestrator.contracts.metrics import quality
from orchestrator.contracts.outcome import CheckpointEvent, EvaluationEvent, PhaseSeconds, StepEvent
from orchestrator.contracts.phase_work import add_work
from orchestrator.contracts.trial import AttemptOrder, Recipe
from orchestrator.contracts.vocabulary import Phase
from workers.batches import FlatSplit, Rows, epoch_batches
from workers.checkpoint import Checkpoint, Progress, Weights, clone_weights, trained_weights
from workers.checkpoint_writer import CheckpointWriter
from workers.distributed.ranks import ALONE, Ranks
from workers.distributed.sharding import prepare, sharded_state, sync_gradients
from workers.distributed.spreading import shard_model
from workers.evaluate import DivergedError, evaluate
from workers.inputs import TaskData
from workers.learning_curve import Scored
from workers.metering.gauges import merge_measurements
from workers.metering.meter import Meter, Work, add_phases, parse_work, plain_work
from workers.methods import Adapted
from workers.models.masks import padding_known
from workers.runtime.records import EventLog, is_superseded
from workers.schedule import Budget, steps_of_an_epoch
from workers.tasks import IGNORED

_LOG_EVERY = 10  # optimiser steps: reading the loss waits for the device


class PreemptedError(Exception):
    """Asked to stop from outside; a checkpoint of the last step exists."""


class SupersededError(PreemptedError):
    """Others have taken the attempt for lost, and another one goes on from its checkpoints."""


class CollapsedError(Exception):
    """After its grace an evaluation is collapsed, and the recipe says to stop then."""


@dataclass(frozen=True)
class TrainContext:
    """The process that the loop runs in. `stopping` says whether it was asked to stop."""

    order: AttemptOrder
    accelerator: Accelerator
    meter: Meter
    log: EventLog
    stopping: Callable[[], bool]
    inherited: PhaseSeconds  # what the checkpoint had spent
    inherited_work: Work
    ranks: Ranks = ALONE

    def train_seconds(self) -> float:
        """Of all attempts so far."""
        return self.inherited.get(Phase.TRAIN, 0.0) + self.meter.seconds_of(Phase.TRAIN)


def train(
    adapted: Adapted, data: TaskData, progress: Progress, start: Checkpoint | None, ctx: TrainContext
) -> Weights:
    """Trains until the budget is spent; gives the weights of the best evaluation on dev, of equals the first,
    and of the last one where the metric is missing at each.

    The model ends up with its last weights. `progress` is kept up to date. With `start`, goes on from there
    as if it had never stopped: to the last bit on the CPU, and on a GPU with `deterministic`. Enters the
    phase of training, whose seconds are those of a budget of seconds. All ranks come through here in step.
    Raises DivergedError, CollapsedError, PreemptedError, each in all of them.
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
    examples, dev = (FlatSplit(d, data.pad, ctx.accelerator.device) for d in (data.train, data.dev))
    epoch_steps = steps_of_an_epoch(len(data.train), recipe.batch_size)
    budget = Budget.of(recipe, epoch_steps)
    losses: list[Tensor] = []
    begins = progress.step
    adapted.train_mode()
    ctx.meter.enter(Phase.TRAIN)
    with checkpoint_writer(ctx) as writer:
        while budget.share(*(spent := (progress.step, progress.train_seconds))) < 1:
            epoch, place = divmod(progress.step, epoch_steps)
            if place == 0 or progress.step == begins:
                batches = examples.rows(epoch_batches(examples.lengths, recipe.batch_size, seed, epoch))
            batch, rate = batches[place], budget.rate(*spent)
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
    """AdamW over what trains. Weight decay spares biases, norms, and IA3's factors, whose rest value is 1."""
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
    """One step on `batch` of `examples`, in forward passes of the order's size. Gives this rank's part of the
    mean loss, on the device.

    The mean is over the targets of the whole batch (examples; words for ner), however they fall into ranks
    and passes. All ranks make the same number of passes: one that has no example left in it learns nothing
    from its pass. `model` and `optimiser` are the prepared ones. A penalty of the method is not in the mean.
    """
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
            logits = model(**passed.inputs).logits.float().flatten(0, -2)
            wanted = passed.labels.flatten()
            loss = cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum") / targets
            loss = loss if part else 0 * loss
            total += loss.detach()
            summed = loss * ranks.count  # the gradients of the ranks are averaged
            penalty = adapted.penalty() if last else None
            accelerator.backward(summed if penalty is None else summed + penalty)
    trained = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    accelerator.clip_grad_norm_(trained, ctx.order.trial.recipe.max_grad_norm)
    optimiser.step()
    optimiser.zero_grad()
    return total


def score_dev(
    model: Any, data: TaskData, dev: FlatSplit, progress: Progress, epoch_steps: int, ctx: TrainContext
) -> bool:
    """Scores dev, which lies on the device, writes it down, and says whether it is the best so far."""
    size = ctx.order.evaluation_size
    evaluation = evaluate(model, data.dev, dev, data.task, data.labels, batch_size=size, ranks=ctx.ranks)
    metrics = evaluation.metrics
    found, known = quality(data.task.metric, metrics), progress.best_quality
    # Of evaluations without the metric the latest is kept: nothing tells them apart but the training.
    best = known is None or (found is not None and found > known)
    if best:
        progress.best_step, progress.best_quality, progress.best_metrics = progress.step, found, metrics
    scored = Scored(progress.step, ctx.train_seconds(), found, evaluation.collapsed)
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


def stop_if_collapsed(recipe: Recipe, budget: Budget, progress: Progress) -> None:
    """Raises CollapsedError where the recipe wants it; without that a trial goes on, and may recover."""
    graced = budget.share(progress.step, progress.train_seconds) < recipe.collapse_grace
    if recipe.stop_collapsed and progress.curve[-1].collapsed and not graced:
        raise CollapsedError


def save_is_due(order: AttemptOrder, waited: float, scored: bool) -> bool:
    """When the writer says so; with 0 `checkpoint_seconds`, after each evaluation and at no other step."""
    return scored if order.checkpoint_seconds == 0 else waited >= 1


def checkpoint_writer(ctx: TrainContext) -> CheckpointWriter:
    """The attempt's own. Each checkpoint that is complete is an event."""
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
    progress: Progress,
    writer: CheckpointWriter,
    ctx: TrainContext,
) -> None:
    """Raises SupersededError in the first rank, instead of saving where others have gone on meanwhile, and
    what writing the checkpoint before raised."""
    if ctx.ranks.leads and is_superseded(Path(ctx.order.directory)):
        raise SupersededError
    with ctx.meter.within(Phase.CHECKPOINT):
        progress.phases = add_phases(ctx.inherited, ctx.meter.seconds())
        told = ctx.ranks.gather(plain_work(ctx.meter.work()))
        progress.work = add_work(ctx.inherited_work, merge_measurements([parse_work(each) for each in told]))
        sharded = sharded_state(model, optimiser, ctx.order.resources)
        writer.save(adapted, sharded, best, progress, ctx.ranks)


def await_written(writer: CheckpointWriter, ctx: TrainContext) -> None:
    """Return when the last checkpoint is written. Raises what writing it raised."""
    with ctx.meter.within(Phase.CHECKPOINT):
        writer.wait()


def log_losses(
    ctx: TrainContext, losses: list[Tensor], rate: float, progress: Progress, planned: int | None
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
