"""Low-rank adapters: LoRA and its kin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import AdaLoraConfig, LoraConfig, PeftModel, VeraConfig

from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.low_rank import AdaLora, Lora, Vera
from workers.methods.adalora import AdaLoraSchedule, schedule, set_saved_ranks
from workers.methods.base import Context, Method
from workers.methods.layer_adapters import LayerAdapter, transposed
from workers.methods.targets import adapter_modules


class _Lora(LayerAdapter[Lora]):
    def targets(self, model: Any, settings: Lora, context: Context) -> list[str]:
        return adapter_modules(model, settings.kind, context.spec, context.kind, settings.targets)

    def config(self, model: Any, settings: Lora, shared: dict[str, Any], context: Context) -> LoraConfig:
        return LoraConfig(
            r=settings.rank,
            lora_alpha=settings.scale,
            lora_dropout=settings.dropout,
            use_rslora=settings.rank_stabilised,
            use_dora=settings.dora,
            fan_in_fan_out=transposed(model, shared),
            **shared,
        )


class _AdaLora(LayerAdapter[AdaLora]):
    def config(
        self, model: Any, settings: AdaLora, shared: dict[str, Any], context: Context
    ) -> AdaLoraConfig:
        return AdaLoraConfig(
            target_r=settings.rank,
            init_r=settings.start_rank,
            lora_alpha=settings.scale,
            lora_dropout=settings.dropout,
            fan_in_fan_out=transposed(model, shared),
            **schedule(1 if context.meta else context.steps),
            **shared,
        )

    def adapt(self, model: Any, settings: AdaLora, context: Context) -> PeftModel:
        wrapped: PeftModel = super().adapt(model, settings, context)
        for name, parameter in wrapped.named_parameters():
            if ".ranknum." in name:  # counts, no weights. PEFT freezes them, except on the meta device
                parameter.requires_grad_(False)
        return wrapped

    def step_hook(self, model: Any) -> AdaLoraSchedule:
        return AdaLoraSchedule(model)

    def before_saving(self, model: Any) -> None:
        set_saved_ranks(model)

    def before_loading(self, config: Any, saved: Any) -> None:
        config.rank_pattern = saved.rank_pattern


class _Vera(LayerAdapter[Vera]):
    def config(self, model: Any, settings: Vera, shared: dict[str, Any], context: Context) -> VeraConfig:
        # The random matrices are drawn for each trial, so that seeds differ in them, and saved with it.
        key = 0 if context.meta else int(torch.randint(2**31, ()))
        return VeraConfig(
            r=settings.rank,
            vera_dropout=settings.dropout,
            projection_prng_key=key,
            save_projection=True,
            fan_in_fan_out=transposed(model, shared),
            **shared,
        )


METHODS: Mapping[type[Settings], Method[Any]] = {Lora: _Lora(), AdaLora: _AdaLora(), Vera: _Vera()}
