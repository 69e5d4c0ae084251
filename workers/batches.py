"""Batches of about equal length, in an order that only seed and epoch decide."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.tasks import IGNORED, Encoded, LogitMeaning


def epoch_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Return the examples of one epoch, each once, as lists of indices.

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
    """Yield all examples, longest first: batches that pad least."""
    ranked = sorted(range(len(lengths)), key=lambda i: lengths[i], reverse=True)
    for start in range(0, len(ranked), batch_size):
        yield ranked[start : start + batch_size]


@dataclass(frozen=True, repr=False)
class Rows:
    """Some examples of a split, in an order: their places in it, known to the host and on the device."""

    places: Sequence[int]
    on_device: Tensor

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, part: slice) -> Rows:
        return Rows(self.places[part], self.on_device[part])


@dataclass(frozen=True, repr=False)
class Batch:
    """Examples padded on the right to the longest. `inputs` are int64 of shape (batch, length). Where hidden
    states are kept in the place of texts (`workers.frozen`), they are among them as `inputs_embeds`, of
    (batch, length, width), and the length is 1 if the head reads one state of each. `labels` are (batch,), or
    (batch, length) with IGNORED where there is no word to label, or for multilabel (batch, labels) of 0.0 and
    1.0, or for regression (batch,) of float32. `padded`: some is shorter."""

    inputs: dict[str, Tensor]
    labels: Tensor
    padded: bool


@dataclass(frozen=True, repr=False)
class Grid:
    """The tokens of a batch, padded on the right: `tokens` are their places in a flat split, `filler` is true
    where there is none, both of shape (batch, length)."""

    tokens: Tensor
    filler: Tensor
    has_padding: bool

    @property
    def mask(self) -> Tensor:
        return (~self.filler).long()

    def padded(self, values: Tensor, value: int) -> Tensor:
        """Return the values of a flat split, with `value` as padding."""
        return values[self.tokens].long().masked_fill_(self.filler, value)


class FlatSplit:
    """An encoded split on a device, its examples end to end. Batches are gathered there, so no pass copies
    anything to the device or waits for it.

    `lengths` are the tokens of each example; `targets` the labels that its loss is made of: 1, or for ner its
    words, or their sub-words under paper_scoring.
    """

    def __init__(self, data: Encoded, pad: int, device: torch.device) -> None:
        rows: Sequence[Any] = data.labels
        self.objective = data.objective
        ids = data.objective is LogitMeaning.ONE_OF
        self._per_word = ids and bool(rows) and isinstance(rows[0], list)
        labels: NDArray[Any] = (
            _flat(rows) if self._per_word else np.array(rows, np.int32 if ids else np.float32)
        )
        self.lengths = [len(ids) for ids in data.input_ids]
        ends = np.cumsum(np.array(self.lengths, np.int64))
        starts = ends - self.lengths
        self.targets = [1] * len(rows)
        if self._per_word:
            before = np.concatenate([[0], np.cumsum(labels != IGNORED)])
            self.targets = (before[ends] - before[starts]).tolist()
        self.class_weights: Tensor | None = None
        self._pad, self._device = pad, device
        self._lengths, self._starts = self._put(ends - starts), self._put(starts)
        self._ids, self._labels = self._put(_flat(data.input_ids)), self._put(labels)
        self._types = None if data.token_type_ids is None else self._put(_flat(data.token_type_ids))

    def _put(self, values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(values).to(self._device)

    def weigh(self, weights: NDArray[np.float32]) -> None:
        """Set the weights of the loss in training: (classes,), as `losses.summed_loss` takes them."""
        self.class_weights = torch.from_numpy(weights).to(self._device)

    def rows(self, batches: Iterable[Sequence[int]]) -> list[Rows]:
        """Return the rows of each batch, with a single copy to the device, which waits for it."""
        known = list(batches)
        places = self._put(np.fromiter(itertools.chain.from_iterable(known), np.int64))
        parts = places.split([len(batch) for batch in known])  # type: ignore[no-untyped-call]
        return [Rows(batch, part) for batch, part in zip(known, parts, strict=True)]

    def batch(self, rows: Rows) -> Batch:
        grid = self.grid(rows)
        inputs = {"input_ids": grid.padded(self._ids, self._pad), "attention_mask": grid.mask}
        if self._types is not None:
            inputs["token_type_ids"] = grid.padded(self._types, 0)
        return Batch(inputs, self.labels_of(rows, grid), padded=grid.has_padding)

    def grid(self, rows: Rows) -> Grid:
        """Return where the tokens of the rows are."""
        chosen = [self.lengths[place] for place in rows.places]
        longest = max(chosen)
        columns = torch.arange(longest, device=self._device)
        filler = columns >= self._lengths[rows.on_device][:, None]
        tokens = (self._starts[rows.on_device][:, None] + columns).masked_fill_(filler, 0)
        return Grid(tokens, filler, has_padding=min(chosen) < longest)

    def labels_of(self, rows: Rows, grid: Grid) -> Tensor:
        """Return the labels of the rows, as in `Batch`."""
        if self._per_word:
            return grid.padded(self._labels, IGNORED)
        labels = self._labels[rows.on_device]
        return labels.long() if self.objective is LogitMeaning.ONE_OF else labels


def _flat(rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    return np.fromiter(itertools.chain.from_iterable(rows), np.int32)


def collate(
    data: Encoded, indices: Sequence[int], pad: int, device: torch.device
) -> tuple[dict[str, Tensor], Tensor]:
    """Return (inputs, labels) of a batch of examples on the host, as in `Batch`."""
    types, labels = data.token_type_ids, data.labels
    chosen = Encoded(
        input_ids=[data.input_ids[i] for i in indices],
        labels=[labels[i] for i in indices],  # type: ignore[arg-type]
        token_type_ids=None if types is None else [types[i] for i in indices],
        truncated=0,
        objective=data.objective,
    )
    flat = FlatSplit(chosen, pad, torch.device("cpu"))
    batch = flat.batch(flat.rows([range(len(indices))])[0])
    return {name: value.to(device) for name, value in batch.inputs.items()}, batch.labels.to(device)
