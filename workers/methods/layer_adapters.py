"""Adapters inside the layers, all PEFT's: what the low-rank and the multiplicative ones share."""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel, TaskType, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from orchestrator.contracts.vocabulary import TaskKind
from workers.methods.base import Context, Method, S
from workers.methods.refusal import UnsupportedError
from workers.methods.targets import Names, adapter_modules


class LayerAdapter(Method[S]):
    """Puts adapters on target modules and trains the heads; everything else is frozen."""

    def targets(self, model: Any, settings: S, context: Context) -> list[str]:
        """Return the full names of the modules that are wrapped."""
        return adapter_modules(model, settings.kind, context.spec, context.kind)

    def config(self, model: Any, settings: S, shared: dict[str, Any], context: Context) -> Any:
        """Return PEFT's configuration, with the keys that all methods share: `shared`."""
        raise NotImplementedError

    def adapt(self, model: Any, settings: S, context: Context) -> Any:
        try:
            return self._wrap(model, settings, context)
        except (ValueError, TypeError, NotImplementedError) as refused:
            message = " ".join(str(refused).split())
        reason = f"PEFT cannot put {settings.kind} on it: {message}"
        raise UnsupportedError(context.spec, reason, "use another method")

    def _wrap(self, model: Any, settings: S, context: Context) -> PeftModel:
        names = self.targets(model, settings, context)
        shared = {
            "task_type": TaskType.TOKEN_CLS if context.kind is TaskKind.NER else TaskType.SEQ_CLS,
            "modules_to_save": list(context.heads),
            "target_modules": names,
        }
        config = self.config(model, settings, shared, context)
        wrapped = get_peft_model(model, config, low_cpu_mem_usage=context.meta)
        for name in names:
            wrapped.get_base_model().get_submodule(name).register_forward_hook(_in_autocast)
        return wrapped


def transposed(model: Any, shared: dict[str, Any]) -> bool:
    """Return whether the target modules store their weights as (in, out), as GPT-2's do."""
    return not isinstance(model.get_submodule(shared["target_modules"][0]), nn.Linear)


def _in_autocast(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    """Under autocast a linear map answers in half precision, and models count on it (DeBERTa). PEFT's vera,
    oft and boft answer in the precision of their input."""
    device = output.device.type
    if output.is_meta or not torch.is_autocast_enabled(device):
        return output
    return output.to(torch.get_autocast_dtype(device))


def wrapped_modules(model: PeftModel) -> Names:
    """Full names, as in the model before it was wrapped."""
    base = model.get_base_model()
    return tuple(name for name, module in base.named_modules() if isinstance(module, BaseTunerLayer))
