"""Count what passes through a model: tokens and floating-point operations, phase by phase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from workers.metering.flops import Operations


class Passes:
    """Count every forward pass of the watched model, and the backward pass where gradients are on.

    Only real tokens count. They are summed on the batch's device and read once per phase, so that no pass
    waits for a GPU because of them. FLOPs include padding, because it is computed. A pass of the head alone,
    to which hidden states are given, has no tokens and the FLOPs of the head.
    """

    def __init__(self) -> None:
        self._operations: Operations | None = None
        self._of_head: Operations | None = None
        self._again = self._watching = False
        self._tokens: Tensor | None = None
        self._flops = 0.0

    def watch(
        self,
        model: Any,
        operations: Operations | None,
        *,
        of_head: Operations | None = None,
        again: bool = False,
    ) -> None:
        """Count the passes of a model. `operations` are None if unknown; `of_head`: those of a pass that
        leaves the backbone out; `again`: activations are computed twice."""
        self._operations, self._of_head, self._again, self._watching = operations, of_head, again, True
        model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, model: Any, args: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        mask, training = inputs["attention_mask"], torch.is_grad_enabled()
        if "inputs_embeds" in inputs:
            if self._of_head is None:
                self._operations = None
            else:
                self._flops += self._of_head.of(*mask.shape, training=training)
            return
        if self._tokens is None:
            self._tokens = torch.zeros((), dtype=torch.int64, device=mask.device)
        with torch.no_grad():
            self._tokens.add_(mask.sum())
        if self._operations is not None:
            self._flops += self._operations.of(*mask.shape, training=training, again=self._again)

    def lap(self) -> Mapping[str, float | None]:
        tokens, flops = 0 if self._tokens is None else self._tokens.item(), self._flops
        self._tokens, self._flops = None, 0.0
        countable = self._operations is not None or not self._watching
        return {"tokens": tokens, "flops": flops if countable else None}
