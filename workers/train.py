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
from orchestrator.contracts.trial import AttemptOrder, Recipe
from orchestrator.contracts.vocabulary import Phase
from workers.batches import collate, epoch_batches
from workers.checkpoint import Checkpoint, Progress, Weights, copy_of, save, trained_weights
from workers.evaluate import DivergedError, evaluate
from workers.inputs import TaskData
from workers.meter import Meter, add_phases
from workers.methods import Adapted
from workers.records import EventLog
from workers.schedule import evaluation_places, learning_rate, planned_steps
from workers.tasks import IGNORED

_LOG_EVERY = 10  # optimiser steps: reading the loss waits for the device


class PreemptedError(Exception):
    """Asked to stop from outside; a checkpoint of the last step exists."""


@dataclass(frozen=True)
class Surroundings:
    """The process that the loop runs in. `stopping` says whether it was asked to stop."""

    order: AttemptOrder
    accelerator: Accelerator
    meter: Meter
    log: EventLog
    stopping: Callable[[], bool]
    inherited: PhaseSeconds  # what the checkpoint had spent


def train(
    adapted: Adapted, data: TaskData, progress: Progress, start: Checkpoint | None, around: Surroundings
) -> Weights:
    """Trains to the end of the recipe; gives the weights of the best evaluation on dev, of equals the first.

    The model ends up with its last weights. `progress` is kept up to date. With `start`, goes on from there,
    to the last bit as if it had never stopped. Raises DivergedError, PreemptedError.
    """
    recipe, seed = around.order.trial.recipe, around.order.trial.seed
    optimiser = adam_w(adapted.model, recipe)
    best: Weights | None = None
    if start is not None:
        best = start.restore(adapted.model, optimiser)
    model, optimiser = around.accelerator.prepare(adapted.model, optimiser)
    epoch_steps, planned = planned_steps(recipe, len(data.train))
    scored_places = evaluation_places(epoch_steps, recipe.evaluations_per_epoch)
    losses: list[Tensor] = []
    begins, saved_at = progress.step, around.meter.now()
    adapted.train_mode()
    while progress.step < planned:
        epoch, place = divmod(progress.step, epoch_steps)
        if place == 0 or progress.step == begins:
            batches = epoch_batches(data.train_lengths, recipe.batch_size, seed, epoch)
        rate = learning_rate(progress.step, planned, recipe)
        losses.append(
            optimiser_step(around.accelerator, model, optimiser, data, batches[place], recipe, rate)
        )
        progress.step += 1
        progress.tokens += sum(data.train_lengths[i] for i in batches[place])
        scoring, stopping = place + 1 in scored_places, around.stopping()
        saving = stopping or save_is_due(around, saved_at, scoring)
        if scoring or saving or len(losses) == _LOG_EVERY:
            log_losses(around.log, losses, rate, progress, planned)
            losses.clear()
        if scoring:
            if score_dev(model, data, progress, epoch_steps, around):
                best = copy_of(trained_weights(adapted.model))
            adapted.train_mode()
        if saving:
            save_progress(adapted.model, optimiser, best, progress, around)
            saved_at = around.meter.now()
        if stopping:
            raise PreemptedError
    assert best is not None  # every epoch ends with an evaluation
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
    accelerator: Accelerator,
    model: Any,
    optimiser: Any,
    data: TaskData,
    batch: list[int],
    recipe: Recipe,
    rate: float,
) -> Tensor:
    """One step on `batch`, in forward passes of `micro_batch_size`. Gives the mean loss, on the device.

    The mean is over the targets of the whole batch (examples; words for ner), however they fall into passes.
    """
    for group in optimiser.param_groups:
        group["lr"] = rate
    size = recipe.micro_batch_size or recipe.batch_size
    targets = max(1, sum(data.train_targets[i] for i in batch))
    total = torch.zeros((), device=accelerator.device)
    for first in range(0, len(batch), size):
        inputs, labels = collate(data.train, batch[first : first + size], data.pad, accelerator.device)
        logits = model(**inputs).logits.float().flatten(0, -2)
        loss = cross_entropy(logits, labels.flatten(), ignore_index=IGNORED, reduction="sum") / targets
        accelerator.backward(loss)
        total += loss.detach()
    trained = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    accelerator.clip_grad_norm_(trained, recipe.max_grad_norm)
    optimiser.step()
    optimiser.zero_grad()
    return total


def score_dev(model: Any, data: TaskData, progress: Progress, epoch_steps: int, around: Surroundings) -> bool:
    """Scores dev, writes it down, and says whether it is the best so far."""
    recipe = around.order.trial.recipe
    with around.meter.within(Phase.EVALUATE):
        metrics = evaluate(
            model, data.dev, data.task, data.labels, batch_size=recipe.evaluation_batch_size, pad=data.pad
        )
        found, known = quality(data.task.metric, metrics), progress.best_quality
        best = progress.best_step is None or (found is not None and (known is None or found > known))
        if best:
            progress.best_step, progress.best_quality, progress.best_metrics = progress.step, found, metrics
        epoch = progress.step / epoch_steps
        around.log.write(
            EvaluationEvent(at=around.log.now(), step=progress.step, epoch=epoch, metrics=metrics, best=best)
        )
    return best


def save_is_due(around: Surroundings, saved_at: float, scored: bool) -> bool:
    """After `checkpoint_seconds`; with 0 of them, after each evaluation and at no other step."""
    wait = around.order.checkpoint_seconds
    return (scored or wait > 0) and around.meter.now() - saved_at >= wait


def save_progress(
    model: Any, optimiser: Any, best: Weights | None, progress: Progress, around: Surroundings
) -> None:
    with around.meter.within(Phase.CHECKPOINT):
        progress.phases = add_phases(around.inherited, around.meter.seconds())
        save(Path(around.order.directory) / CHECKPOINTS, model, optimiser, best, progress)
        around.log.write(CheckpointEvent(at=around.log.now(), step=progress.step))


def log_losses(log: EventLog, losses: list[Tensor], rate: float, progress: Progress, planned: int) -> None:
    """Raises DivergedError if one is not finite: weights after such a step are never scored or kept."""
    loss = torch.stack(losses).mean().item()
    if not math.isfinite(loss):
        raise DivergedError
    log.write(
        StepEvent(
            at=log.now(),
            step=progress.step,
            planned_steps=planned,
            loss=loss,
            learning_rate=rate,
            tokens=progress.tokens,
        )
    )
