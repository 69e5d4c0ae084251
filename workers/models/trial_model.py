"""Build the model of a trial: its weights and its adapter, on its device."""

from __future__ import annotations

from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from orchestrator.contracts.frozen_precision import frozen_in_half
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Precision
from workers.distributed.ranks import Ranks
from workers.distributed.sharding import spreads_weights
from workers.distributed.spreading import match_kinds, reads
from workers.methods import Adapted, Counted, adapt, check_trained
from workers.methods.activations import checkpoint_activations
from workers.models.backbones import build, build_empty, train_in_full
from workers.models.initialisation import DrawnOnCpu


def make_model(
    order: AttemptOrder,
    directory: Path,
    labels: tuple[str, ...],
    precision: Precision,
    steps: int | None,
    counted: Counted,
    accelerator: Accelerator,
    ranks: Ranks,
) -> tuple[Adapted, Any]:
    """Return the adapted model, which trains what was `counted`, and its tokenizer. Draws from torch's global
    generator, which the trial's seed sets; of several ranks each then has a generator of its own.

    `directory` holds the weights; `steps` is the planned number of optimiser steps. A model whose weights are
    to be sharded stays on the CPU; only the rank that reads them has any.
    """
    trial, resources = order.trial, order.resources
    settings, kind = trial.method.settings, trial.task.kind
    quantise, spread = settings.quantised_to, spreads_weights(resources)
    half = quantise is None and frozen_in_half(trial.backbone, settings, precision)
    device = accelerator.device if resources.gpus and not spread else None
    source, reading = (trial.backbone, directory, kind, labels), reads(ranks, resources)
    set_seed(trial.seed)
    with nullcontext() if device is None else DrawnOnCpu():
        if reading:
            built = build(*source, quantise=quantise, half=half, device=None if quantise else device)
        else:
            built = build_empty(*source, counted.heads)
        adapted = adapt(
            built.model, settings, trial.backbone, kind, built.unsaved, steps=steps, meta=not reading
        )
    match_kinds(adapted.model, ranks, resources)
    train_in_full(adapted.model)
    check_trained(adapted, counted, trial.backbone)
    for module in (adapted, counted.blank) if resources.gradient_checkpointing else ():
        checkpoint_activations(module, trial.backbone)
    if quantise is None and not spread:  # a quantised base is already there
        adapted.model.to(accelerator.device)
    if ranks.count > 1:  # built identically; from here each draws its own dropout
        torch.manual_seed(int.from_bytes(sha256(f"{trial.seed}/{ranks.rank}".encode()).digest()[:6]))
    return adapted, built.tokenizer
