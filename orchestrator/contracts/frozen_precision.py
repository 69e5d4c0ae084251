"""The precision of a trial's weights on its device, as the planner assumes it and the worker does it."""

from __future__ import annotations

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.vocabulary import Family, Precision


def frozen_in_half(backbone: BackboneSpec, settings: Settings, precision: Precision) -> bool:
    """Return whether the frozen weights are kept in bf16. Trained weights are in fp32 everywhere.

    Frozen weights are in bf16 if the arithmetic is in bf16 and the model is a decoder or a state-space model:
    these are published in 16 bits, so fp32 would store zeros. Encoders are published in fp32 and keep it.
    """
    published_in_half = backbone.family is not Family.ENCODER
    return precision is Precision.BF16 and published_in_half and not settings.trains_everything
