"""Activations that are computed again in the backward pass instead of being kept."""

from __future__ import annotations

from orchestrator.contracts.backbone import BackboneSpec
from workers.methods.adapt import Adapted
from workers.methods.refusal import UnsupportedError


def checkpoint_activations(adapted: Adapted, spec: BackboneSpec) -> None:
    """Raises WeightsError where the architecture has no such way, or the method goes round it."""
    model = adapted.model.get_base_model() if adapted.is_adapter else adapted.model
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise UnsupportedError(
            spec, "it keeps all activations: it has no gradient checkpointing", "leave it out of resources"
        )
    if not adapted.settings.recomputes_activations:
        reason = "keys and values from outside are dropped when its activations are computed again"
        raise UnsupportedError(spec, reason, "leave gradient_checkpointing out of resources, or use prompt")
    model.gradient_checkpointing_enable({"use_reentrant": False})
    if adapted.is_adapter:
        model.enable_input_require_grads()
