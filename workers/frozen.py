"""What a frozen backbone answers is computed once per text and attempt: head-only.

Its backbone trains nothing and stays in evaluation mode, so the hidden states of a text are the same in every
epoch and every evaluation. The first pass over a text is an ordinary one, and the states that the head reads
are kept on the device; from then on the head gets these, and the backbone does not run. Batches, their order
and what dropout draws in the head are those of ordinary passes.

The states come from patient text: they never leave the memory of the attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from orchestrator.contracts.kept_states import MOST_BYTES, one_process_keeps
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import TaskKind
from workers.batches import Batch, FlatSplit, Grid, Rows, by_length, epoch_batches
from workers.head_reading import OneState, Sample, head_drawn_anew, inputs_of
from workers.inputs import TaskData
from workers.methods import Adapted
from workers.methods.bypass import Bypass
from workers.models.masks import padding_known
from workers.tasks import Encoded


def splits_on_device(
    adapted: Adapted, data: TaskData, order: AttemptOrder, device: torch.device
) -> tuple[FlatSplit, FlatSplit]:
    """Return train and dev on the device. Under head-only they keep what the backbone answers, where the
    attempt is one process, the states take at most `MOST_BYTES`, and on a few texts the head answers to kept
    states as to the texts. Leaves the model in evaluation mode then."""
    if adapted.settings.trains_head_alone and one_process_keeps(order.resources):
        kept = _kept(adapted, data, order, device)
        if kept is not None:
            return kept
    return FlatSplit(data.train, data.pad, device), FlatSplit(data.dev, data.pad, device)


@torch.no_grad()
def _kept(
    adapted: Adapted, data: TaskData, order: AttemptOrder, device: torch.device
) -> tuple[KeptSplit, KeptSplit] | None:
    """Return train and dev, None where they take too much or the head reads something else."""
    model = adapted.model.eval()
    bypass = Bypass(model)
    with head_drawn_anew(model):
        kept = _kept_of_a_text(adapted, bypass, data, order, device)
    if kept is None:
        bypass.undo()
        return None
    lengths = [[len(ids) for ids in part.input_ids] for part in (data.train, data.dev)]
    first_epoch = epoch_batches(lengths[0], order.trial.recipe.batch_size, order.trial.seed, epoch=0)
    size = order.pass_size
    passes = [batch[i : i + size] for batch in first_epoch for i in range(0, len(batch), size)]
    return (
        KeptSplit(data.train, data.pad, device, kept, passes),
        KeptSplit(data.dev, data.pad, device, kept, list(by_length(lengths[1], order.evaluation_size))),
    )


def _kept_of_a_text(
    adapted: Adapted, bypass: Bypass, data: TaskData, order: AttemptOrder, device: torch.device
) -> Kept | None:
    model = adapted.model
    sample = Sample.of(model, bypass, data, device, order.evaluation_size)
    if sample is None:
        return None
    one = None if data.task.kind is TaskKind.NER else sample.the_one_read(model)
    kept = Kept(adapted, bypass, one, sample.hidden.shape[-1], sample.hidden.dtype)
    taken = (_positions(data.train, one) + _positions(data.dev, one)) * kept.width * kept.dtype.itemsize
    if taken > MOST_BYTES or (one is None and not sample.is_read_as(None, model)):
        return None
    return kept


def _positions(data: Encoded, one: OneState | None) -> int:
    return sum(map(len, data.input_ids)) if one is None else len(data)


@dataclass(frozen=True, repr=False)
class Kept:
    """What is kept of a text. `one`: the state that its head reads; None: those of all tokens. States are
    of shape (width,)."""

    adapted: Adapted
    bypass: Bypass
    one: OneState | None
    width: int
    dtype: torch.dtype


class KeptSplit(FlatSplit):
    """A split whose batches are tokens until their texts have passed through the backbone, and from then on
    hidden states. A text passes through it among the same texts always, those of one of the `passes`: so that
    an attempt that resumes gets the same states, to the last bit."""

    def __init__(
        self,
        data: Encoded,
        pad: int,
        device: torch.device,
        kept: Kept,
        passes: Sequence[Sequence[int]],
    ) -> None:
        super().__init__(data, pad, device)
        self._kept = kept
        self._nowhere = _positions(data, kept.one)  # the last row, of padding
        self._states = torch.empty(self._nowhere + 1, kept.width, dtype=kept.dtype, device=device)
        self._states[self._nowhere] = 0
        self._passes = passes
        self._pass_of = {place: number for number, places in enumerate(passes) for place in places}
        self._known = set[int]()  # numbers of passes

    def batch(self, rows: Rows) -> Batch:
        """Return the rows as hidden states, or as tokens: then the pass that follows makes them known."""
        unknown = {self._pass_of[place] for place in rows.places} - self._known
        if len(unknown) == 1 and [*self._passes[(number := next(iter(unknown)))]] == [*rows.places]:
            return self._first_pass(number, rows)
        for number in sorted(unknown):
            self._read(number)
        grid = self.grid(rows)
        places = self._places(rows, grid)
        mask = grid.mask if self._kept.one is None else torch.ones_like(places)
        inputs = inputs_of(self._states[places], mask)
        return Batch(inputs, self.labels_of(rows, grid), padded=grid.has_padding)

    def _first_pass(self, number: int, rows: Rows) -> Batch:
        """Return the rows of a pass as tokens. What the backbone answers to them is kept."""
        batch, places, one = super().batch(rows), self._places(rows, self.grid(rows)), self._kept.one

        def keep(hidden: Tensor) -> None:
            read = hidden if one is None else one(hidden, batch.inputs["attention_mask"])[:, None]
            self._states[places] = read.detach()
            self._known.add(number)

        self._kept.bypass.listener = keep
        return batch

    def _read(self, number: int) -> None:
        """Run a pass that is not due, or was before the attempt resumed. Nothing is drawn."""
        model = self._kept.adapted.model
        training = model.training
        batch = self._first_pass(number, self.rows([self._passes[number]])[0])
        with torch.no_grad(), padding_known(batch.padded, batch.labels.device):
            model.eval()(**batch.inputs)
        if training:
            self._kept.adapted.train_mode()

    def _places(self, rows: Rows, grid: Grid) -> Tensor:
        """Return where the states of the rows are: (batch, 1), or (batch, length)."""
        if self._kept.one is not None:
            return rows.on_device[:, None]
        return grid.tokens.masked_fill(grid.filler, self._nowhere)
