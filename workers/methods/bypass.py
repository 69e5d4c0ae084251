"""A backbone that can be left out of a pass, because what it would answer is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor


class Bypass:
    """Lets the backbone of `model` also take hidden states of its last layer, in place of `inputs_embeds`: it
    then answers with them, and with what its pooler makes of them, and its layers do not run.

    A pass with tokens is unchanged; there has to be one before the first that takes hidden states. `listener`
    is called once, with the hidden states of the next pass with tokens, (batch, length, width).
    """

    def __init__(self, model: Any) -> None:
        self._backbone = getattr(model, model.base_model_prefix)
        self._forward, self._backbone.forward = self._backbone.forward, self._read
        self._output: Callable[..., Any] | None = None
        self.listener: Callable[[Tensor], None] | None = None

    def undo(self) -> None:
        self._backbone.forward = self._forward

    def _read(
        self, input_ids: Tensor | None = None, *, inputs_embeds: Tensor | None = None, **inputs: Any
    ) -> Any:
        if inputs_embeds is not None:
            assert self._output is not None
            pooled = self._pool(inputs_embeds)
            return self._output(
                last_hidden_state=inputs_embeds, **({} if pooled is None else {"pooler_output": pooled})
            )
        output = self._forward(input_ids, **inputs)
        self._output = type(output)
        listener, self.listener = self.listener, None
        if listener is not None:
            listener(output.last_hidden_state)
        return output

    def _pool(self, hidden: Tensor) -> Tensor | None:
        pooler = getattr(self._backbone, "pooler", None)
        if pooler is None:
            return None
        if (activation := getattr(self._backbone, "pooler_activation", None)) is not None:  # ALBERT's
            pooled: Tensor = activation(pooler(hidden[:, 0]))
        else:
            pooled = pooler(hidden)
        return pooled
