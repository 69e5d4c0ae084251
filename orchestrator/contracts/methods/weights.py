"""Methods that add nothing: they train all or some of the model's own weights."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveInt

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods.base import MethodSettings
from orchestrator.contracts.model_shape import ModelShape, depth


class Full(MethodSettings):
    """Every weight is trained."""

    kind: Literal["full"] = "full"

    trains_everything: ClassVar[bool] = True
    trains_whole_layers: ClassVar[bool] = True
    flops_per_weight: ClassVar[int] = 6

    @property
    def description(self) -> str:
        return "all weights trained"

    def trained_parameters(self, shape: ModelShape) -> int:
        return shape.parameters


class HeadOnly(MethodSettings):
    """The backbone is frozen and stays in evaluation mode; only the modules outside it are trained."""

    kind: Literal["head-only"] = "head-only"

    trains_head_alone: ClassVar[bool] = True
    flops_per_weight: ClassVar[int] = 2

    @property
    def description(self) -> str:
        return "only the head trained"

    def active_layers(self, shape: ModelShape) -> int:
        return 0


class _PerLayer(MethodSettings):
    def parameters_per_layer(self, shape: ModelShape) -> float:
        return 10 * shape.hidden + 2 * shape.intermediate


class BitFit(_PerLayer):
    """The bias vectors of the backbone are trained (Ben Zaken et al. 2022)."""

    kind: Literal["bitfit"] = "bitfit"

    @property
    def description(self) -> str:
        return "biases trained (BitFit)"


class LnTuning(_PerLayer):
    """Gains and biases of the normalisation layers are trained (Zhao et al. 2023)."""

    kind: Literal["ln-tuning"] = "ln-tuning"

    @property
    def description(self) -> str:
        return "normalisation layers trained"


class TopLayers(MethodSettings):
    """Layer freezing: only the last `layers` of the backbone are trained, and what lies above them."""

    kind: Literal["top-layers"] = "top-layers"
    layers: PositiveInt = Field(2, description="how many of the last layers train")

    trains_whole_layers: ClassVar[bool] = True

    @property
    def description(self) -> str:
        return f"the top {self.layers} layers trained"

    def trained_parameters(self, shape: ModelShape) -> int:
        return round(self.active_layers(shape) * shape.layer_parameters) + shape.head_parameters

    def active_layers(self, shape: ModelShape) -> int:
        return min(self.layers, shape.layers)

    def unsupported_backbone(self, backbone: BackboneSpec) -> str | None:
        layers = depth(backbone)
        if layers is not None and self.layers > layers:
            return f"top-layers is to train layers: {self.layers}, and {backbone.name} has {layers}"
        return None

    @classmethod
    def to_measure(cls) -> tuple[Self, ...]:
        return (cls(layers=1),)

    def at_smoke_size(self, *, layers: int, block_size: int) -> Self:
        return self.model_copy(update={"layers": layers})
