"""Build attention masks without reading them back from the device.

transformers checks whether a mask hides anything in every forward pass, and on a GPU this waits for all
earlier work. The code that pads a batch already has the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from transformers import AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

_padded: ContextVar[bool | None] = ContextVar("padded", default=None)  # None: unknown


@contextmanager
def padding_known(padded: bool, device: torch.device) -> Iterator[None]:
    """Tell a forward pass whether its batch is padded. On the CPU, where the check costs nothing, the masks
    stay those of transformers."""
    if device.type == "cpu":
        yield
        return
    AttentionMaskInterface.register("sdpa", _mask)
    before = _padded.set(padded)
    try:
        yield
    finally:
        _padded.reset(before)


def _mask(*, attention_mask: torch.Tensor | None = None, **options: Any) -> torch.Tensor | None:
    """Replace transformers' `sdpa_mask`: no mask for a batch without padding, else always a full one."""
    padded = _padded.get()
    if padded is False:
        attention_mask = None
    elif padded:
        options |= {"allow_is_causal_skip": False, "allow_is_bidirectional_skip": False}
    mask: torch.Tensor | None = sdpa_mask(attention_mask=attention_mask, **options)
    return mask
