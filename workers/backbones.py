"""From a folder of weights to a model with a head and its tokenizer.

No code that a folder carries is ever run, and weights come from safetensors only (`workers.weights`): both
keep a downloaded model from executing anything here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
)

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import WeightsError
from workers.weights import verify


@dataclass(frozen=True)
class Backbone:
    """A model with a fresh head, and its fast tokenizer.

    `unsaved` names modules inside the backbone that the weights do not hold (a pooler, if any). They start at
    random, so every method has to train them along with the head.
    """

    model: Any
    tokenizer: Any
    unsaved: tuple[str, ...]


def model_class(kind: TaskKind) -> Any:
    """Words get a label each (ner), everything else is one label an example."""
    return AutoModelForTokenClassification if kind is TaskKind.NER else AutoModelForSequenceClassification


def build(spec: BackboneSpec, directory: Path, kind: TaskKind, labels: tuple[str, ...]) -> Backbone:
    """The model in fp32 on the CPU, with a head drawn from torch's global generator: seed it first.

    Raises WeightsError where files are missing or foreign.
    """
    verify(spec, directory)
    tokenizer = load_tokenizer(spec, directory, kind)
    try:
        model, loading = model_class(kind).from_pretrained(
            directory,
            num_labels=len(labels),
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as failed:
        raise WeightsError(
            f"backbone {spec.name}: no {kind} model can be loaded from {directory} "
            f"({type(failed).__name__})\n"
            f"    -> check that architecture {spec.architecture!r} has such a head in transformers"
        ) from failed
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return Backbone(model, tokenizer, _unsaved(spec, directory, model, loading["missing_keys"]))


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


def load_tokenizer(spec: BackboneSpec, directory: Path, kind: TaskKind) -> Any:
    """The fast tokenizer, padding on the right, with a padding token also where a decoder has none."""
    options: dict[str, Any] = {"use_fast": True, "trust_remote_code": False, "local_files_only": True}
    if kind is TaskKind.NER and spec.architecture in {"roberta", "xlm-roberta", "gpt2"}:
        options["add_prefix_space"] = True  # byte-level BPE: words come in already split
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, **options)
    except (OSError, ValueError, KeyError) as failed:
        raise WeightsError(
            f"backbone {spec.name}: no tokenizer can be loaded from {directory} ({type(failed).__name__})\n"
            "    -> the folder needs tokenizer.json, or the vocabulary file of its architecture"
        ) from failed
    if not tokenizer.is_fast:
        raise WeightsError(
            f"backbone {spec.name}: {directory} has no fast tokenizer\n    -> add a tokenizer.json to it"
        )
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def build_shape(spec: BackboneSpec, kind: TaskKind, labels: int, directory: Path | None = None) -> Any:
    """The same model without weights, on the meta device: of `spec.shape`, else of `directory`'s config."""
    try:
        if spec.shape:
            config = AutoConfig.for_model(spec.architecture, num_labels=labels, **spec.shape)
        elif directory is not None:
            config = AutoConfig.from_pretrained(directory, num_labels=labels, trust_remote_code=False)
        else:
            raise WeightsError(
                f"backbone {spec.name}: its shape is not known\n"
                "    -> name shape in its catalogue entry, or run `frontier stage` first"
            )
        with torch.device("meta"):
            return model_class(kind).from_config(config)
    except (ValueError, KeyError, TypeError, AttributeError) as failed:
        raise WeightsError(
            f"backbone {spec.name}: no {kind} model of architecture {spec.architecture!r} can be built "
            f"from its shape ({type(failed).__name__})\n"
            "    -> check the keys of shape against the library's configuration"
        ) from failed
