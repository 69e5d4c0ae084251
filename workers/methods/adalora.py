"""AdaLoRA's schedule during training: it removes rank where it helps least (Zhang et al. 2023).

Importance is the smoothed sensitivity of each entry, the weight times its gradient, times its uncertainty.
PEFT keeps it outside the weights, so a checkpoint has to save it for the trial to resume exactly.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from orchestrator.errors import WeightsError

_RANKS = "ranks/"
_IMPORTANCE = "importance/"
_UNCERTAINTY = "uncertainty/"


def schedule(steps: int | None) -> dict[str, int]:
    """Return PEFT's schedule for `steps` planned optimiser steps: the first tenth trains at the full initial
    rank, the last half at the final ranks; between them ranks are reallocated at every hundredth."""
    if steps is None:
        raise WeightsError(
            "adalora plans its ranks over a number of steps, which is not known\n"
            "    -> set epochs or steps as the budget of the recipe"
        )
    total = max(2, steps)
    return {
        "total_step": total,
        "tinit": total // 10,
        "tfinal": min(total // 2, total - 2),
        "deltaT": max(1, total // 100),
    }


class AdaLoraSchedule:
    """The allocation of ranks in one model, and the state that it needs.

    It sees a step's gradients as they are accumulated, and keeps them for `after_step`, which may run after
    the optimiser dropped its own.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._config = model.peft_config["default"]
        self._allocator = model.base_model.rankallocator
        self._gradients: dict[str, Tensor] = {}
        self._watching = False

    def watch(self) -> None:
        """Begin to observe gradients, once the model is on its device. A second call changes nothing."""
        if not self._watching:
            for name, parameter in self._entries():
                parameter.register_post_accumulate_grad_hook(self._keeper(name))
        self._watching = True

    def _entries(self) -> list[tuple[str, Any]]:
        """Return the adapters' matrices, named as the allocator names them."""
        return [(name, p) for name, p in self._model.base_model.model.named_parameters() if "lora_" in name]

    def _keeper(self, name: str) -> Any:
        def keep(parameter: Tensor) -> None:
            assert parameter.grad is not None
            self._gradients[name] = parameter.grad

        return keep

    def after_step(self, step: int) -> None:
        for name, parameter in self._entries():
            parameter.grad = self._gradients[name]
        self._model.base_model.update_and_allocate(step)
        self._gradients.clear()
        for _, parameter in self._entries():
            parameter.grad = None

    def penalty(self) -> Tensor:
        """Return the term that pulls the singular vectors towards orthogonality, as PEFT adds it to its own
        loss."""
        distances = []
        for name, parameter in self._entries():
            if ".lora_A." in name or ".lora_B." in name:
                matrix = parameter if ".lora_A." in name else parameter.T
                identity = torch.eye(matrix.shape[0], device=matrix.device, dtype=matrix.dtype)
                distances.append(torch.linalg.norm(matrix @ matrix.T - identity))
        weight: float = self._config.orth_reg_weight
        return weight * torch.stack(distances).mean()

    def extra_state(self) -> dict[str, Tensor]:
        kept = {_IMPORTANCE + name: value for name, value in self._allocator.exp_avg_ipt.items()}
        kept |= {_UNCERTAINTY + name: value for name, value in self._allocator.exp_avg_unc.items()}
        kept |= {_RANKS + name: torch.tensor(row) for name, row in (self._config.rank_pattern or {}).items()}
        return {name: value.detach().to("cpu", copy=True) for name, value in kept.items()}

    def load_extra_state(self, state: dict[str, Tensor]) -> None:
        devices = {name: parameter.device for name, parameter in self._entries()}
        for prefix, averages in (
            (_IMPORTANCE, self._allocator.exp_avg_ipt),
            (_UNCERTAINTY, self._allocator.exp_avg_unc),
        ):
            for key, value in state.items():
                if key.startswith(prefix):
                    name = key.removeprefix(prefix)
                    averages[name] = value.to(devices[name])
        self._allocator.ipt = {name: torch.zeros_like(v) for name, v in self._allocator.exp_avg_ipt.items()}
        ranks = {k.removeprefix(_RANKS): v.tolist() for k, v in state.items() if k.startswith(_RANKS)}
        self._config.rank_pattern = ranks or None


def set_saved_ranks(model: Any) -> None:
    """Set the rank pattern from the weights as they are: the best weights on dev may have more ranks than the
    last ones, and PEFT saves only what its rank pattern names."""
    model.peft_config["default"].rank_pattern = {
        name: (parameter.detach().flatten() != 0).tolist()
        for name, parameter in model.base_model.model.named_parameters()
        if ".lora_E." in name
    }
