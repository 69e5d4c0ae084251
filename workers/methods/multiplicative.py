"""Adapters that multiply: rescaling by IA3, rotation by OFT and BOFT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peft import BOFTConfig, IA3Config, OFTConfig
from torch import nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.multiplicative import Boft, Ia3, Oft
from orchestrator.errors import WeightsError
from workers.methods.base import Context, Method
from workers.methods.butterflies import settle_block_diagonal
from workers.methods.layer_adapters import LayerAdapter, transposed
from workers.methods.refusal import UnsupportedError
from workers.methods.targets import rescaled_inputs, rescaled_modules


class _Ia3(LayerAdapter[Ia3]):
    def targets(self, model: Any, settings: Ia3, context: Context) -> list[str]:
        return rescaled_modules(model, context.spec, context.kind)

    def config(self, model: Any, settings: Ia3, shared: dict[str, Any], context: Context) -> IA3Config:
        inputs = rescaled_inputs(model, context.spec, context.kind)
        return IA3Config(feedforward_modules=inputs, fan_in_fan_out=transposed(model, shared), **shared)


class _Oft(LayerAdapter[Oft]):
    def config(self, model: Any, settings: Oft, shared: dict[str, Any], context: Context) -> OFTConfig:
        _refuse_rotation(model, settings, context.spec, shared["target_modules"])
        return OFTConfig(r=0, oft_block_size=settings.block_size, **shared)


class _Boft(LayerAdapter[Boft]):
    def config(self, model: Any, settings: Boft, shared: dict[str, Any], context: Context) -> BOFTConfig:
        settle_block_diagonal()
        _refuse_rotation(model, settings, context.spec, shared["target_modules"])
        return BOFTConfig(
            boft_block_size=settings.block_size, boft_n_butterfly_factor=settings.factors, **shared
        )


def _refuse_rotation(model: Any, settings: Oft | Boft, spec: BackboneSpec, names: list[str]) -> None:
    """Raise where a rotation does not fit. PEFT would silently use another block size."""
    for name in names:
        module = model.get_submodule(name)
        if not isinstance(module, nn.Linear):
            kind = type(module).__name__
            reason = f"its projections are {kind} modules, which {settings.kind} cannot rotate"
            raise UnsupportedError(spec, reason, "use lora or another method")
        if module.in_features % settings.unit:
            raise WeightsError(
                f"backbone {spec.name}: {name} takes {module.in_features} values, which {settings.kind} "
                f"cannot cut into blocks of {settings.unit}\n    -> set a block_size that divides it"
            )


METHODS: Mapping[type[Settings], Method[Any]] = {Ia3: _Ia3(), Oft: _Oft(), Boft: _Boft()}
