"""What a forward pass keeps for its backward pass."""

from __future__ import annotations

from typing import Any

import torch


def saved_bytes(model: Any, ids: torch.Tensor, mask: torch.Tensor, *, half: bool) -> int:
    """Return the bytes of all tensors that the backward pass needs, weights left out; on the CPU, and with
    `half` under autocast."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # an output that its own operation saves would hold its graph for ever

    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=half),
    ):
        assert model(input_ids=ids, attention_mask=mask).logits.requires_grad
    return sum(found.values())
