"""Frozen bases in 8 or 4 bits (QLoRA, Dettmers et al. 2023)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from peft import prepare_model_for_kbit_training

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.method import Lora, Settings
from orchestrator.errors import WeightsError


def refuse_quantised(spec: BackboneSpec, settings: Settings) -> None:
    """Raises WeightsError where these settings ask for a quantised base that this machine cannot hold."""
    if not isinstance(settings, Lora) or settings.quantise is None:
        return
    problem = ""
    if not torch.cuda.is_available():
        problem, remedy = (
            "there is no GPU here",
            "give its trials a GPU (resources.gpus), or leave quantise out",
        )
    elif find_spec("bitsandbytes") is None:
        problem, remedy = "bitsandbytes is not installed", "pip install 'frontier-sweeps[quantised]'"
    if problem:
        raise WeightsError(
            f"backbone {spec.name}: quantise: {settings.quantise} needs a GPU and bitsandbytes, but "
            f"{problem}\n    -> {remedy}"
        )


def prepare_quantised(model: Any, spec: BackboneSpec, settings: Settings) -> Any:
    """The model as it was loaded, frozen, with what is not quantised in fp32."""
    if not isinstance(settings, Lora) or settings.quantise is None:
        return model
    refuse_quantised(spec, settings)
    loaded = "int8" if getattr(model, "is_loaded_in_8bit", False) else None
    loaded = "nf4" if getattr(model, "is_loaded_in_4bit", False) else loaded
    if loaded != settings.quantise:
        raise WeightsError(
            f"backbone {spec.name}: the method asks for a base in {settings.quantise}, it was loaded in "
            f"{loaded or 'fp32'}\n    -> load it with the method's quantise"
        )
    return prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
