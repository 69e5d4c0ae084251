"""Draw the random numbers of a model on a GPU from the CPU's generator, so that both start alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# Methods of a tensor, and functions of torch.nn.init, which transformers wraps under the same names.
_DRAWS = ("normal_", "uniform_", "bernoulli_", "random_", "kaiming_uniform_")


class DrawnOnCpu(TorchFunctionMode):
    """Fill tensors on other devices with what the CPU's generator gives a tensor of their shape."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = dict(kwargs or {})
        if getattr(func, "__name__", None) not in _DRAWS:
            return func(*args, **keywords)
        target: Tensor = args[0] if args else keywords.pop("tensor")
        if target.device.type == "cpu":
            return func(target, *args[1:], **keywords)
        values = torch.empty_like(target, device="cpu")
        func(values, *args[1:], **keywords)
        with torch.no_grad():
            return target.copy_(values)
