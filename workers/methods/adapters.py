"""Adapters inside the layers: low-rank, rescaling and rotating ones, all PEFT's."""

from __future__ import annotations

from typing import Any

import torch
from peft import (
    AdaLoraConfig,
    BOFTConfig,
    IA3Config,
    LoraConfig,
    OFTConfig,
    PeftModel,
    TaskType,
    VeraConfig,
    get_peft_model,
)
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.method import AdaLora, Boft, Ia3, Lora, Oft, Vera
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import WeightsError
from workers.methods.adalora import schedule
from workers.methods.butterflies import settle_block_diagonal
from workers.methods.refusal import UnsupportedError
from workers.methods.targets import Names, adapter_modules, rescaled_inputs

Layered = Lora | AdaLora | Vera | Ia3 | Oft | Boft


def wrap(
    model: Any,
    settings: Layered,
    spec: BackboneSpec,
    kind: TaskKind,
    heads: Names,
    *,
    steps: int | None,
    meta: bool,
) -> PeftModel:
    """`model` with adapters on its target modules and trainable `heads`, everything else frozen."""
    if isinstance(settings, Boft):
        settle_block_diagonal()
    names = adapter_modules(model, settings, spec, kind)
    modules = [model.get_submodule(name) for name in names]
    shared: dict[str, Any] = {
        "task_type": TaskType.TOKEN_CLS if kind is TaskKind.NER else TaskType.SEQ_CLS,
        "modules_to_save": list(heads),
        "target_modules": names,
    }
    if isinstance(settings, Ia3):
        shared["feedforward_modules"] = rescaled_inputs(model, spec, kind)
    if isinstance(settings, Oft | Boft):
        _refuse_rotation(settings, spec, names, modules)
    else:
        shared["fan_in_fan_out"] = not isinstance(modules[0], nn.Linear)  # GPT-2 stores them transposed
    config = _config(settings, shared, steps, meta)
    wrapped = get_peft_model(model, config, low_cpu_mem_usage=meta)
    if isinstance(settings, AdaLora):
        _freeze_counters(wrapped)
    for name in names:
        wrapped.get_base_model().get_submodule(name).register_forward_hook(_in_autocast)
    return wrapped


def _freeze_counters(wrapped: PeftModel) -> None:
    """AdaLoRA's counts of ranks are no weights. PEFT freezes them, except on the meta device."""
    for name, parameter in wrapped.named_parameters():
        if ".ranknum." in name:
            parameter.requires_grad_(False)


def _in_autocast(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    """Under autocast a linear map answers in half precision, and models count on it (DeBERTa). PEFT's vera,
    oft and boft answer in the precision of their input."""
    device = output.device.type
    if output.is_meta or not torch.is_autocast_enabled(device):
        return output
    return output.to(torch.get_autocast_dtype(device))


def _config(settings: Layered, shared: dict[str, Any], steps: int | None, meta: bool) -> Any:
    if isinstance(settings, Lora):
        return LoraConfig(
            r=settings.rank,
            lora_alpha=settings.scale,
            lora_dropout=settings.dropout,
            use_rslora=settings.rank_stabilised,
            use_dora=settings.dora,
            **shared,
        )
    if isinstance(settings, AdaLora):
        return AdaLoraConfig(
            target_r=settings.rank,
            init_r=settings.start_rank,
            lora_alpha=settings.scale,
            lora_dropout=settings.dropout,
            **schedule(1 if meta else steps),
            **shared,
        )
    if isinstance(settings, Vera):
        # The random matrices are drawn for each trial, so that seeds differ in them, and saved with it.
        key = 0 if meta else int(torch.randint(2**31, ()))
        return VeraConfig(
            r=settings.rank,
            vera_dropout=settings.dropout,
            projection_prng_key=key,
            save_projection=True,
            **shared,
        )
    if isinstance(settings, Oft):
        return OFTConfig(r=0, oft_block_size=settings.block_size, **shared)
    if isinstance(settings, Boft):
        return BOFTConfig(
            boft_block_size=settings.block_size, boft_n_butterfly_factor=settings.factors, **shared
        )
    return IA3Config(**shared)


def _refuse_rotation(
    settings: Oft | Boft, spec: BackboneSpec, names: Names | list[str], modules: Any
) -> None:
    """PEFT would take another block size without a word."""
    blocks = settings.block_size * (2 ** (settings.factors - 1) if isinstance(settings, Boft) else 1)
    for name, module in zip(names, modules, strict=True):
        if not isinstance(module, nn.Linear):
            reason = (
                f"its projections are {type(module).__name__} modules, which {settings.kind} cannot rotate"
            )
            raise UnsupportedError(spec, reason, "use lora or another method")
        if module.in_features % blocks:
            raise WeightsError(
                f"backbone {spec.name}: {name} takes {module.in_features} values, which {settings.kind} "
                f"cannot cut into blocks of {blocks}\n    -> set a block_size that divides it"
            )


def wrapped_modules(model: PeftModel) -> Names:
    """Full names, as in the model before it was wrapped."""
    base = model.get_base_model()
    return tuple(name for name, module in base.named_modules() if isinstance(module, BaseTunerLayer))
