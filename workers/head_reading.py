"""What a head reads of its backbone's hidden states, found out on a few texts of train."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from workers.batches import by_length, collate
from workers.inputs import TaskData
from workers.methods.bypass import Bypass
from workers.models.heads import last_real_token
from workers.models.masks import padding_known

_SAMPLE = 8  # examples
_LIKE = 1e-3  # of each logit

# From the hidden states of a batch, (batch, length, width), and its mask: the one state of each text that its
# head reads, (batch, width).
OneState = Callable[[Tensor, Tensor], Tensor]


def _first(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden[:, 0]


def _last(hidden: Tensor, mask: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device), last_real_token(mask, hidden)]


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    return (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


_ONE_STATE: tuple[OneState, ...] = (_first, _last, _mean)


@dataclass(frozen=True, repr=False)
class Sample:
    """A few texts, what a model answers to them, and the hidden states from which its head does."""

    mask: Tensor
    logits: Tensor
    hidden: Tensor

    @classmethod
    def of(cls, model: Any, bypass: Bypass, data: TaskData, device: torch.device, most: int) -> Sample | None:
        """Return the longest and the shortest texts of train, `most` at most. None if the model cannot read
        them."""
        ranked = next(by_length([len(ids) for ids in data.train.input_ids], len(data.train)))
        from_both_ends = dict.fromkeys(chain.from_iterable(zip(ranked, reversed(ranked), strict=True)))
        inputs, _ = collate(data.train, [*from_both_ends][: min(_SAMPLE, most)], data.pad, device)
        if len(inputs["attention_mask"][0]) > 1:  # every text ends in padding: a head may read that
            for name, values in inputs.items():
                values[:, -1] = data.pad if name == "input_ids" else 0
        kept: list[Tensor] = []
        bypass.listener = kept.append
        with padding_known(True, device):
            logits = _logits(model, inputs)
        return None if logits is None else cls(inputs["attention_mask"], logits, *kept)

    def the_one_read(self, model: Any) -> OneState | None:
        """Return the one state of each text that the head reads. None if there is none, or the sample cannot
        tell which."""
        read = [one for one in _ONE_STATE if self.is_read_as(one, model)]
        return read[0] if len(read) == 1 else None

    def is_read_as(self, one: OneState | None, model: Any) -> bool:
        """Return whether the head answers alike to the kept states alone. None: to those of all tokens."""
        if one is None:
            states, mask = self.hidden * self.mask[..., None], self.mask
        else:
            states, mask = one(self.hidden, self.mask)[:, None], torch.ones_like(self.mask[:, :1])
        logits = _logits(model, inputs_of(states, mask))
        if logits is None or logits.shape != self.logits.shape:
            return False
        real = self.mask.bool() if logits.ndim == 3 else slice(None)
        return torch.allclose(logits[real].float(), self.logits[real].float(), rtol=_LIKE, atol=_LIKE)


def inputs_of(states: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return what the model gets in the place of texts. Some heads read the shape of `input_ids`."""
    return {"input_ids": mask, "inputs_embeds": states, "attention_mask": mask}


def _logits(model: Any, inputs: dict[str, Tensor]) -> Tensor | None:
    """Return the answer, None if the model takes no such inputs. Raises what a failing device raises."""
    try:
        logits: Tensor = model(**inputs).logits
    except (torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return None
    return logits


@contextmanager
def head_drawn_anew(model: Any) -> Iterator[None]:
    """Give what trains other weights for a while, always the same ones: what the head reads is then found
    alike in the attempt that begins and in one that resumes, whatever its head has learned."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for parameter in trained]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in trained:
            if parameter.ndim > 1:
                drawn = torch.randn(parameter.shape, generator=generator) / math.sqrt(parameter.shape[-1])
            else:  # a bias, or the factors of a norm
                drawn = torch.rand(parameter.shape, generator=generator) + 0.5
            parameter.copy_(drawn)
        try:
            yield
        finally:
            for parameter, value in zip(trained, before, strict=True):
                parameter.copy_(value)
