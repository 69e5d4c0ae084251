"""Turn a folder of weights into a model with a head and its tokenizer.

No code in a folder is ever run, and weights come only from safetensors (`workers.models.weights`): both keep
a downloaded model from executing anything here.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, BitsAndBytesConfig

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.base import Quantise
from orchestrator.contracts.vocabulary import Family, TaskKind
from orchestrator.errors import WeightsError
from workers.methods import Counted, count, count_trained, head_modules, refuse_quantised
from workers.methods.targets import Names
from workers.models.heads import headed_class, read_at_the_end
from workers.models.layers import keep_layers
from workers.models.loading import check_finite, freeze_as, load, stored
from workers.models.tokenizers import load_tokenizer
from workers.models.weights import verify

# What transformers calls the tasks whose logits are not those of one class out of several.
_PROBLEM_TYPES = {
    TaskKind.MULTILABEL: "multi_label_classification",
    TaskKind.REGRESSION: "regression",
}
_READ_IN_SCANS = ("conv1d", "x_proj", "dt_proj", "out_proj")


@dataclass(frozen=True)
class Backbone:
    """A model with a fresh head, and its fast tokenizer.

    `unsaved` names modules inside the backbone that the weights lack (such as a pooler). They start at
    random, so every method has to train them along with the head.
    """

    model: Any
    tokenizer: Any
    unsaved: tuple[str, ...]


def build(
    spec: BackboneSpec,
    directory: Path,
    kind: TaskKind,
    labels: tuple[str, ...],
    quantise: Quantise | None = None,
    half: bool = False,
    device: torch.device | None = None,
) -> Backbone:
    """Return the model in fp32 on the CPU, with a head drawn from torch's global generator: seed it first.
    With `device` its weights go from the disk to that GPU, and host memory never holds them. With `quantise`
    it is on the GPU as well, with its backbone's linear maps in 8 or 4 bits and its head in fp32. With `half`
    it is in bf16: after it is adapted, `train_in_full` has to convert what trains.

    Raises WeightsError if files are missing or foreign, if the number of parameters differs from the
    catalogue entry, or if a quantised model has no GPU or no library.
    """
    folder = verify(spec, directory)
    refuse_quantised(spec, quantise)
    tokenizer = load_tokenizer(spec, directory)
    config = _config(spec, directory)
    check_parameters(spec, config, directory)
    _set_labels(config, kind, labels, tokenizer)
    blank = _on_meta(spec, config, kind, len(labels))
    try:
        model, missing = load(
            spec,
            headed_class(config, kind),
            config,
            folder,
            head_modules(blank),
            dtype=torch.bfloat16 if half else torch.float32,
            **({} if device is None else {"device_map": {"": device}}),
            **_quantised(spec, blank, quantise),
        )
    except (torch.OutOfMemoryError, torch.AcceleratorError):
        raise  # of the GPU, not of the weights
    except (OSError, ValueError, KeyError, RuntimeError) as failed:
        raise WeightsError(
            f"backbone {spec.name}: no {kind} model can be loaded from {directory} "
            f"({type(failed).__name__})\n"
            f"    -> check that architecture {spec.architecture!r} has such a head in transformers"
        ) from failed
    keep_layers(spec, model)
    freeze_as(model, blank)
    unsaved = _unsaved(spec, directory, model, missing)
    check_finite(spec, folder, model.named_parameters() if quantise is None else stored(folder))
    return Backbone(read_at_the_end(model, kind), tokenizer, unsaved)


def build_empty(
    spec: BackboneSpec, directory: Path, kind: TaskKind, labels: tuple[str, ...], trained: Names
) -> Backbone:
    """Return what `build` does, with its weights on the meta device: only the configuration and the tokenizer
    are read. `trained`: the modules that every method trains."""
    tokenizer = load_tokenizer(spec, directory)
    config = _config(spec, directory)
    _set_labels(config, kind, labels, tokenizer)
    model = _on_meta(spec, config, kind, len(labels))
    heads = head_modules(model)
    return Backbone(model, tokenizer, tuple(name for name in trained if name not in heads))


def _set_labels(config: Any, kind: TaskKind, labels: tuple[str, ...], tokenizer: Any) -> None:
    if kind in _PROBLEM_TYPES:
        config.problem_type = _PROBLEM_TYPES[kind]
    config.num_labels = len(labels)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id


def train_in_full(model: nn.Module) -> None:
    """Convert what trains to fp32 and leave the rest unchanged."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def check_parameters(spec: BackboneSpec, config: Any, directory: Path) -> None:
    """Compare the entry's `parameters` with the configuration, which the tensors have to fit to load at
    all: with a 2-label sequence head, including poolers, after `keep_layers`. Raises WeightsError if they
    differ."""
    if spec.parameters is None:
        return
    actual = count(_on_meta(spec, config, TaskKind.CLASSIFICATION, 2).parameters())
    if actual != spec.parameters:
        raise WeightsError(
            f"backbone {spec.name}: its catalogue entry expects {spec.parameters:,} parameters with a "
            f"2-label sequence head, the model in {directory} has {actual:,}\n"
            "    -> set weights, keep_layers and parameters to those of one model"
        )


def _quantised(spec: BackboneSpec, blank: Any, quantise: Quantise | None) -> dict[str, Any]:
    """Return options to load a model that is `blank` on the meta device. What is trained with the head must
    not be quantised, because nothing could train it. The same holds for modules of a state-space model whose
    weights transformers reads without calling them."""
    if quantise is None:
        return {}
    unread = _READ_IN_SCANS if spec.family is Family.STATE_SPACE else ()
    settings = BitsAndBytesConfig(
        load_in_8bit=quantise == "int8",
        load_in_4bit=quantise == "nf4",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=[*head_modules(blank), f"{blank.base_model_prefix}.pooler", *unread],
    )
    return {"quantization_config": settings, "device_map": {"": _device()}}


def _device() -> torch.device | int:
    """Return the GPU of this process, or the CPU: bitsandbytes runs on cores as well, where the tests ask for
    it."""
    return torch.cuda.current_device() if torch.cuda.is_available() else torch.device("cpu")


def _unsaved(spec: BackboneSpec, directory: Path, model: nn.Module, missing: set[str]) -> tuple[str, ...]:
    prefix = f"{model.base_model_prefix}."
    inside = {key.removeprefix(prefix).split(".")[0] for key in missing if key.startswith(prefix)}
    if inside - {"pooler"}:
        lacking = ", ".join(sorted(inside - {"pooler"}))
        raise WeightsError(
            f"backbone {spec.name}: the weights in {directory} lack {lacking}\n"
            "    -> these would start at random: use weights of the whole backbone"
        )
    return tuple(prefix + name for name in sorted(inside))


def count_planned(
    spec: BackboneSpec, directory: Path, settings: Settings, kind: TaskKind, labels: int
) -> Counted:
    """Count the weights that the method will train, without reading them. Raises WeightsError."""
    folder = verify(spec, directory)
    return count_trained(_on_meta(spec, _config(spec, directory), kind, labels), settings, spec, kind, folder)


def build_shape(spec: BackboneSpec, kind: TaskKind, labels: int, directory: Path | None = None) -> Any:
    """Return the model without weights, on the meta device, from `spec.shape`, else from `directory`'s
    config."""
    if spec.shape:
        try:
            config = AutoConfig.for_model(spec.architecture, **spec.shape)
        except (ValueError, KeyError, TypeError) as failed:
            raise _bad_shape(spec, kind, failed) from failed
    elif directory is not None:
        config = _config(spec, directory)
    else:
        raise WeightsError(
            f"backbone {spec.name}: its shape is not known\n"
            "    -> name shape in its catalogue entry, or run `frontier stage` first"
        )
    return _on_meta(spec, config, kind, labels)


def _config(spec: BackboneSpec, directory: Path) -> Any:
    """Return the folder's configuration without the cache of keys and values: no text is read twice, so the
    cache would hold the keys and values of a whole batch in vain."""
    try:
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as failed:
        raise WeightsError(
            f"backbone {spec.name}: {directory / 'config.json'} is no configuration of architecture "
            f"{spec.architecture!r} ({type(failed).__name__})\n    -> fetch it again"
        ) from failed
    config.use_cache = False
    return config


def _on_meta(spec: BackboneSpec, config: Any, kind: TaskKind, labels: int) -> Any:
    config = copy.deepcopy(config)
    config.num_labels = labels
    try:
        with torch.device("meta"):
            model = headed_class(config, kind)._from_config(config)
    except (ValueError, KeyError, TypeError, AttributeError) as failed:
        raise _bad_shape(spec, kind, failed) from failed
    keep_layers(spec, model)
    return read_at_the_end(model, kind)


def _bad_shape(spec: BackboneSpec, kind: TaskKind, failed: Exception) -> WeightsError:
    return WeightsError(
        f"backbone {spec.name}: no {kind} model of architecture {spec.architecture!r} can be built "
        f"from its shape ({type(failed).__name__})\n"
        "    -> check the keys of shape, or of its config.json, against the library's configuration"
    )
