"""Which backbones and settings a first sweep starts with, by where weights may come from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.config import Catalogue
from orchestrator.config.weights_digests import folder_of
from orchestrator.contracts.backbone import BackboneSpec, FolderWeights, PackageWeights
from orchestrator.planning.steps import FEW_STEPS

_SMALL = 50_000_000  # parameters; smaller models need larger learning rates
_SMALL_METHODS = ({"name": "full", "learning_rate": 1e-4}, {"name": "lora", "learning_rate": 2e-3})
_BATCH, _STEPS, _MOST_EPOCHS = 16, 200, 20
_OF_PACKAGES = ("minilm",)
_GENERATED = ("demo-small",)
_OF_THE_HUB = ("distil", "base")


class Weights(StrEnum):
    HERE = "here"
    HUB = "hub"


@dataclass(frozen=True)
class Start:
    """The axes and the recipe of a first sweep."""

    models: tuple[str, ...]
    domains: tuple[str, ...]
    methods: tuple[Mapping[str, object], ...]
    epochs: int
    why: str  # these models
    batch_size: int = _BATCH


def start(catalogue: Catalogue, weights: Weights, asked: Iterable[str], examples: int) -> Start:
    """Return what a first sweep trains. `asked`: models that the user names. `examples`: those of train."""
    models, why = tuple(asked), "as you said"
    if not models and weights is Weights.HUB:
        models, why = _OF_THE_HUB, "the usual sizes; the hub has them pretrained on general and clinical text"
    elif not models:
        models = tuple(m for m in _OF_PACKAGES if _is_installed(catalogue.backbones.get((m, "general"))))
        why = "pretrained, and on this machine already"
        if not models:
            models = _GENERATED
            why = "generated from invented text; pip install 'frontier-sweeps[public]' adds a real one"
    domains = tuple(sorted({domain for model in models for domain in catalogue.domains_of(model)}))
    small = all((b.parameters or 0) < _SMALL for (m, _), b in catalogue.backbones.items() if m in models)
    methods = _SMALL_METHODS if small else ({"name": "full"}, {"name": "lora"})
    return Start(models, domains, methods, _epochs(math.ceil(examples / _BATCH)), why)


def _epochs(steps: int) -> int:
    """Return the epochs of so many optimiser steps: never so few that the plan would ask for more."""
    usual = min(_MOST_EPOCHS, max(3, math.ceil(_STEPS / steps)))
    return max(usual, math.ceil(FEW_STEPS / steps))


def _is_installed(backbone: BackboneSpec | None) -> bool:
    if backbone is None or not isinstance(backbone.weights, FolderWeights | PackageWeights):
        return False
    return folder_of(backbone.weights) is not None
