"""Batches of about equal length, in an order that only seed and epoch decide."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from workers.tasks import IGNORED, Encoded


def epoch_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The examples of one epoch, each once, as lists of indices.

    Pools of some batches are drawn at random and sorted by length, so that a batch pads little; then the
    batches are shuffled. There are ceil(n / batch_size), at most one of them smaller. An epoch is a function
    of the arguments alone: a resumed attempt finds its place in it by counting.
    """
    drawn = random.Random(f"{seed}/{epoch}")
    order = list(range(len(lengths)))
    drawn.shuffle(order)
    pool = batch_size * max(1, min(len(order) // (batch_size * 4), 50))
    batches = []
    for start in range(0, len(order), pool):
        ranked = sorted(order[start : start + pool], key=lambda i: lengths[i], reverse=True)
        batches += [ranked[i : i + batch_size] for i in range(0, len(ranked), batch_size)]
    drawn.shuffle(batches)
    return batches


def by_length(lengths: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """All examples, longest first: batches that pad least."""
    ranked = sorted(range(len(lengths)), key=lambda i: lengths[i], reverse=True)
    for start in range(0, len(ranked), batch_size):
        yield ranked[start : start + batch_size]


def collate(
    data: Encoded, indices: Sequence[int], pad: int, device: torch.device
) -> tuple[dict[str, Tensor], Tensor]:
    """(inputs, labels) of a batch, padded on the right to its longest example.

    Inputs are int64 of shape (batch, length). Labels are (batch,), or (batch, length) with IGNORED where
    there is no word to label.
    """
    ids = [data.input_ids[i] for i in indices]
    length = max(map(len, ids))
    inputs = {
        "input_ids": _padded(ids, length, pad),
        "attention_mask": _padded([[1] * len(row) for row in ids], length, 0),
    }
    if data.token_type_ids is not None:
        inputs["token_type_ids"] = _padded([data.token_type_ids[i] for i in indices], length, 0)
    labels: list[Any] = [data.labels[i] for i in indices]
    per_word = isinstance(labels[0], list)
    targets = _padded(labels, length, IGNORED) if per_word else torch.tensor(labels)
    return {name: value.to(device) for name, value in inputs.items()}, targets.to(device)


def _padded(rows: Sequence[Sequence[int]], length: int, value: int) -> Tensor:
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])
