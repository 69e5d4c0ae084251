"""Sharding with fully_shard: rank 0 reads the weights, and the other ranks receive their parts.

The others build the model on the meta device, where it takes no memory. So a machine holds it once, not once
per rank.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, OffloadPolicy, fully_shard

from orchestrator.contracts.resources import Resources
from workers.distributed.ranks import Ranks
from workers.distributed.sharding import fill_parameter


def reads(ranks: Ranks, resources: Resources) -> bool:
    """Return whether this rank reads the weights from the disk."""
    return ranks.leads or resources.sharding != "fsdp"


def match_kinds(model: Any, ranks: Ranks, resources: Resources) -> None:
    """Give a model on the meta device the types that the weights have in the first rank, and let the same
    ones train. All ranks have to call this, before anything is sharded."""
    if ranks.count == 1 or resources.sharding != "fsdp":
        return
    own = {name: (p.dtype, p.requires_grad) for name, p in model.named_parameters()}
    expected = ranks.gather(own if ranks.leads else None)[0]
    for name, parameter in model.named_parameters() if own != expected else ():
        parameter.data = parameter.data.to(expected[name][0])
        parameter.requires_grad = expected[name][1]


def shard_model(model: Any, accelerator: Accelerator, resources: Resources) -> None:
    """Shard the weights with fully_shard, before there is an optimiser; do nothing under another sharding.
    Rank 0 sends the weights that it has read. All ranks have to call this.

    Not by way of accelerate: its 1.15 spreads the last norm of a model apart from the layers, and in an
    encoder that norm lies inside one.
    """
    if resources.sharding != "fsdp":
        return
    source = _unsharded(model)
    half = accelerator.mixed_precision == "bf16"
    options: dict[str, Any] = {
        "mesh": init_device_mesh(accelerator.device.type, (resources.processes,)),
        "reshard_after_forward": True,
        "mp_policy": MixedPrecisionPolicy(torch.bfloat16, torch.float32) if half else MixedPrecisionPolicy(),
        "offload_policy": CPUOffloadPolicy() if resources.offload else OffloadPolicy(),
    }
    for layer in _layers(model):
        fully_shard(layer, **options)
    fully_shard(model, **options)
    if resources.processes > 1:
        _hand_out(model, source, accelerator.device, resources)


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the members of the outermost lists of modules."""
    for child in module.children():
        if isinstance(child, nn.ModuleList):
            yield from child
        else:
            yield from _layers(child)


def _unsharded(model: Any) -> dict[str, Tensor] | None:
    """Return the weights of rank 0 before they are sharded; None in the other ranks."""
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    return None if any(value.is_meta for value in weights.values()) else weights


def _hand_out(
    model: Any, source: dict[str, Tensor] | None, device: torch.device, resources: Resources
) -> None:
    """Fill the parts of all ranks, and their buffers, with those of the first one. `model` is spread."""
    home = torch.device("cpu") if resources.offload else device
    if source is None:
        model.to_empty(device=home)
        _move_buffers(model, device)
    for name, parameter in model.named_parameters():
        if source is None:
            value = torch.empty(parameter.shape, dtype=parameter.dtype, device=home)
        else:
            value = source[name]
        fill_parameter(parameter, value)
    for buffer in model.buffers():
        dist.broadcast(buffer, src=0)


def _move_buffers(model: Any, device: torch.device) -> None:
    """Move the buffers to the device: they are small, and no rank keeps them in host memory."""
    for module in model.modules():
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty_like(buffer, device=device)
