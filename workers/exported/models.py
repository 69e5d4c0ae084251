"""A trained model again: from the weights that its trial kept, and from an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights, HubWeights
from orchestrator.contracts.exported import BASE, ModelUse, WeightsLayout
from orchestrator.contracts.frozen_precision import frozen_in_half
from orchestrator.contracts.safetensors_files import listed
from orchestrator.errors import InputError
from workers.checkpoint import UnreadableCheckpointError
from workers.export import load_exported
from workers.methods import Adapted, adapt
from workers.models.backbones import build, train_in_full
from workers.models.heads import headed_class, read_at_the_end
from workers.models.loading import load
from workers.models.tokenizers import load_tokenizer
from workers.models.weights import verify, weights_directory

ADAPTER_WEIGHTS = "adapter_model.safetensors"
_STEPS = 100  # AdaLoRA's schedule needs a number, and a model that only answers follows no schedule
_DAMAGED = (OSError, RuntimeError, KeyError, ValueError, UnreadableCheckpointError)


def rebuilt(
    use: ModelUse, kept: Path, backbone: Path, device: torch.device | None, *, exact: bool
) -> tuple[Adapted, Any]:
    """Return the model of a method other than full with the weights that its trial kept, and its tokenizer.
    `exact`: in the trial's own number formats, for its very answers; else in fp32.

    `device`: the GPU that it goes to, None for the CPU. Raises WeightsError where the backbone is not there,
    InputError where the kept weights are not those of the method.
    """
    settings = use.method.settings
    quantise = settings.quantised_to if exact else None
    half = exact and quantise is None and frozen_in_half(use.backbone, settings, use.precision)
    built = build(use.backbone, backbone, use.kind, use.labels, quantise=quantise, half=half)
    adapted = adapt(built.model, settings, use.backbone, use.kind, built.unsaved, steps=_STEPS)
    train_in_full(adapted.model)
    if adapted.is_adapter and not (kept / ADAPTER_WEIGHTS).is_file():  # peft would read a pickle instead
        raise InputError(f"{kept}: {ADAPTER_WEIGHTS} is missing\n    -> export the model again")
    try:
        load_exported(adapted, kept)
    except _DAMAGED as error:
        raise _not_whole(kept, error) from None
    if quantise is None and device is not None:
        adapted.model.to(device)
    return adapted, built.tokenizer


def whole(use: ModelUse, folder: Path, device: torch.device | None, *, exact: bool) -> Any:
    """Return a whole model that reads texts as its trial did. `exact` as in `rebuilt`. As of a backbone, only
    tensors of safetensors in the folder are read. Raises WeightsError where its files ask for anything else,
    InputError where they do not hold a whole model."""
    files = verify(use.backbone, folder)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    kind = headed_class(config, use.kind)
    try:
        model, missing = load(use.backbone, kind, config, files, heads=(), dtype=torch.float32)
    except _DAMAGED as error:
        raise _not_whole(folder, error) from None
    if missing:
        raise InputError(
            f"{folder}: its weights lack {listed(sorted(missing))}\n    -> export the model again"
        )
    if exact and frozen_in_half(use.backbone, use.method.settings, use.precision):
        adapt(model, use.method.settings, use.backbone, use.kind)
        for parameter in model.parameters():
            if not parameter.requires_grad:
                parameter.data = parameter.data.bfloat16()
    read_at_the_end(model, use.kind)
    return model if device is None else model.to(device)


def base_folder(folder: Path, spec: BackboneSpec, cache_dir: Path) -> Path:
    """Return the backbone's weights of an export: those inside it, else those of the hub in the cache. Raises
    WeightsError where they are not staged."""
    inside = folder / BASE
    return inside if inside.is_dir() else weights_directory(spec, cache_dir, fetch=False)


def inside(spec: BackboneSpec, folder: Path) -> BackboneSpec:
    """Return the backbone of an export with the path of its weights, where the folder holds them. Layers that
    the entry drops are gone there."""
    if isinstance(spec.weights, HubWeights):
        return spec
    return spec.model_copy(update={"weights": FolderWeights(folder=str(folder / BASE))})


def answering(
    use: ModelUse, folder: Path, layout: WeightsLayout, cache_dir: Path, device: torch.device | None
) -> tuple[Any, Any]:
    """Return the model of an export and its tokenizer, with the answers of its trial to the last bit on the
    same device."""
    spec = inside(use.backbone, folder)
    if layout is WeightsLayout.ADAPTER:
        placed = use.model_copy(update={"backbone": spec})
        adapted, tokenizer = rebuilt(placed, folder, base_folder(folder, spec, cache_dir), device, exact=True)
        return adapted.model, tokenizer
    return whole(use, folder, device, exact=True), load_tokenizer(use.backbone, folder)


def _not_whole(folder: Path, error: Exception) -> InputError:
    return InputError(
        f"{folder}: its weights cannot be loaded ({type(error).__name__})\n"
        "    -> export the model again; --retrain trains it once more where the kept weights are damaged"
    )
