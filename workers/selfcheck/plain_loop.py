"""The reference for the worker's loop: fine-tuning as a textbook writes it.

It uses torch, transformers, and peft for adapters. Only the batches come from Frontier, because they have to
be the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

Batch = dict[str, Tensor]  # input_ids, attention_mask, …, labels


def rate_at(step: int, steps: int, peak: float, warmup_ratio: float) -> float:
    """Return the learning rate of a step, counted from 0: it rises linearly to the peak, then falls linearly
    to 0."""
    warmup = math.ceil(warmup_ratio * steps)
    if step < warmup:
        return peak * step / warmup
    return peak * (steps - step) / (steps - warmup)


def train_plainly(
    model: Any,
    batches: Sequence[Batch],
    *,
    peak: float,
    warmup_ratio: float,
    weight_decay: float,
    max_norm: float,
    bf16: bool,
    snapshot_after: int,
) -> tuple[list[float], dict[str, Tensor]]:
    """Train `model` on one batch per step. Return the loss of each step, and a copy of the trained weights
    after `snapshot_after` steps."""
    device = next(model.parameters()).device
    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    spared = {name for name, weight in trained.items() if weight.ndim < 2 or "ia3_" in name}
    optimiser = torch.optim.AdamW(
        [
            {"params": [w for n, w in trained.items() if n not in spared], "weight_decay": weight_decay},
            {"params": [w for n, w in trained.items() if n in spared], "weight_decay": 0.0},
        ],
        lr=peak,
    )
    losses, snapshot = [], {}
    model.train()
    for step, batch in enumerate(batches):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, len(batches), peak, warmup_ratio)
        labels = batch["labels"].to(device)
        inputs = {name: value.to(device) for name, value in batch.items() if name != "labels"}
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = model(**inputs).logits
        loss = cross_entropy(logits.float(), labels)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(list(trained.values()), max_norm)
        optimiser.step()
        losses.append(loss.item())
        if step + 1 == snapshot_after:
            snapshot = {name: weight.detach().clone() for name, weight in trained.items()}
    return losses, snapshot
