"""Methods that add nothing: they train some of the backbone's own weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.method import BitFit, HeadOnly, LnTuning, TopLayers
from orchestrator.errors import WeightsError
from workers.methods.refusal import UnsupportedError
from workers.methods.targets import Names, stack_of_layers

Selective = HeadOnly | BitFit | LnTuning | TopLayers


def select(model: Any, settings: Selective, spec: BackboneSpec, heads: Names) -> None:
    """Freezes all but the heads and what the method picks. Raises WeightsError if that is nothing."""
    backbone = getattr(model, model.base_model_prefix)
    if isinstance(settings, TopLayers):
        chosen = list(_top(backbone, settings, spec))
    elif isinstance(settings, BitFit):
        chosen = list(biases(backbone))
    else:
        chosen = list(norms(backbone)) if isinstance(settings, LnTuning) else []
    if not chosen and not isinstance(settings, HeadOnly):
        lacking = "bias vectors" if isinstance(settings, BitFit) else "normalisation layers with weights"
        raise UnsupportedError(
            spec, f"it has no {lacking}: only the head would train", "use head-only, or another method"
        )
    model.requires_grad_(False)
    for parameter in chosen:
        parameter.requires_grad_(True)
    for name in heads:
        model.get_submodule(name).requires_grad_(True)


def biases(backbone: nn.Module) -> Iterator[nn.Parameter]:
    """Every bias vector, those of the normalisation layers included."""
    for name, parameter in backbone.named_parameters():
        last = name.rpartition(".")[2]
        if parameter.ndim == 1 and (last == "bias" or last.endswith("_bias")):
            yield parameter


def norms(backbone: nn.Module) -> Iterator[nn.Parameter]:
    """Gains and biases of the normalisation layers, however the architecture calls their class."""
    for module in backbone.modules():
        if "norm" in type(module).__name__.lower() and not any(True for _ in module.children()):
            yield from module.parameters()


def _top(backbone: nn.Module, settings: TopLayers, spec: BackboneSpec) -> Iterator[nn.Parameter]:
    """The last layers, and what the backbone applies after its stack of layers: a last norm, a pooler."""
    place, stack = stack_of_layers(backbone)
    depth = getattr(backbone.config, "num_hidden_layers", len(stack))
    if len(stack) != depth:
        raise UnsupportedError(
            spec, "its layers share their weights: the last ones cannot train alone", "use another method"
        )
    if settings.layers > depth:
        raise WeightsError(
            f"backbone {spec.name}: top-layers is to train {settings.layers} layers, but there are {depth}\n"
            "    -> set fewer layers"
        )
    for layer in stack[-settings.layers :]:
        yield from layer.parameters()
    names = [name for name, _ in backbone.named_children()]
    for name in names[names.index(place.split(".")[0]) + 1 :]:
        yield from backbone.get_submodule(name).parameters()
