"""Methods that add nothing: they train all or some of the model's own weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.weights import BitFit, Full, HeadOnly, LnTuning, TopLayers
from orchestrator.errors import WeightsError
from workers.methods.base import Context, Method, S
from workers.methods.refusal import UnsupportedError
from workers.methods.targets import stack_of_layers


class _Everything(Method[Full]):
    def adapt(self, model: Any, settings: Full, context: Context) -> Any:
        return model


class Selective(Method[S]):
    """Freezes all but the heads and the weights that the method picks."""

    def adapt(self, model: Any, settings: S, context: Context) -> Any:
        picked = list(self.pick(getattr(model, model.base_model_prefix), settings, context.spec))
        model.requires_grad_(False)
        for parameter in picked:
            parameter.requires_grad_(True)
        for name in context.heads:
            model.get_submodule(name).requires_grad_(True)
        return model

    def pick(self, backbone: nn.Module, settings: S, spec: BackboneSpec) -> Iterable[nn.Parameter]:
        raise NotImplementedError


class _Nothing(Selective[HeadOnly]):
    def pick(self, backbone: nn.Module, settings: HeadOnly, spec: BackboneSpec) -> Iterable[nn.Parameter]:
        return ()


class _Biases(Selective[BitFit]):
    def pick(self, backbone: nn.Module, settings: BitFit, spec: BackboneSpec) -> Iterable[nn.Parameter]:
        return _some(biases(backbone), "bias vectors", spec)


class _Norms(Selective[LnTuning]):
    def pick(self, backbone: nn.Module, settings: LnTuning, spec: BackboneSpec) -> Iterable[nn.Parameter]:
        return _some(norms(backbone), "normalisation layers with weights", spec)


class _TopLayers(Selective[TopLayers]):
    """The last layers, and what the backbone applies after its stack of layers: a last norm, a pooler."""

    def pick(self, backbone: Any, settings: TopLayers, spec: BackboneSpec) -> Iterable[nn.Parameter]:
        path, stack = stack_of_layers(backbone)
        depth = getattr(backbone.config, "num_hidden_layers", len(stack))
        if len(stack) != depth:
            reason = "its layers share their weights: the last ones cannot train alone"
            raise UnsupportedError(spec, reason, "use another method")
        if settings.layers > depth:
            raise WeightsError(
                f"backbone {spec.name}: top-layers is to train {settings.layers} layers, but there are "
                f"{depth}\n    -> set fewer layers"
            )
        for layer in stack[-settings.layers :]:
            yield from layer.parameters()
        names = [name for name, _ in backbone.named_children()]
        for name in names[names.index(path.split(".")[0]) + 1 :]:
            yield from backbone.get_submodule(name).parameters()


def _some(parameters: Iterable[nn.Parameter], what: str, spec: BackboneSpec) -> list[nn.Parameter]:
    """Return them as a list. Raises UnsupportedError if there are none."""
    if picked := list(parameters):
        return picked
    reason = f"it has no {what}: only the head would train"
    raise UnsupportedError(spec, reason, "use head-only, or another method")


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


METHODS: Mapping[type[Settings], Method[Any]] = {
    Full: _Everything(),
    HeadOnly: _Nothing(),
    BitFit: _Biases(),
    LnTuning: _Norms(),
    TopLayers: _TopLayers(),
}
