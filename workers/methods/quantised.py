"""Frozen bases in 8 or 4 bits (QLoRA, Dettmers et al. 2023)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from peft import prepare_model_for_kbit_training

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.base import Quantise
from orchestrator.errors import WeightsError


def refuse_quantised(spec: BackboneSpec, quantise: Quantise | None) -> None:
    """Raises WeightsError where this machine cannot hold a base that is quantised so."""
    if quantise is None:
        return
    problem = ""
    if not torch.cuda.is_available():
        problem, fix = (
            "there is no GPU here",
            "give its trials a GPU (resources.gpus), or leave quantise out",
        )
    elif find_spec("bitsandbytes") is None:
        problem, fix = "bitsandbytes is not installed", "pip install 'frontier-sweeps[quantised]'"
    if problem:
        raise WeightsError(
            f"backbone {spec.name}: quantise: {quantise} needs a GPU and bitsandbytes, but "
            f"{problem}\n    -> {fix}"
        )


def prepare_quantised(model: Any, spec: BackboneSpec, settings: Settings) -> Any:
    """Return the model as it was loaded, frozen, with what is not quantised in fp32."""
    if settings.quantised_to is None:
        return model
    refuse_quantised(spec, settings.quantised_to)
    loaded = "int8" if getattr(model, "is_loaded_in_8bit", False) else None
    loaded = "nf4" if getattr(model, "is_loaded_in_4bit", False) else loaded
    if loaded != settings.quantised_to:
        raise WeightsError(
            f"backbone {spec.name}: the method asks for a base in {settings.quantised_to}, it was loaded in "
            f"{loaded or 'fp32'}\n    -> load it with the method's quantise"
        )
    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
