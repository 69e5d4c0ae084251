"""Adapters that multiply: rescaling by IA3, rotation by OFT and BOFT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveInt

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods.base import MethodSettings
from orchestrator.contracts.model_shape import ModelShape, shape_values

# What the projections of attention take, where it is not hidden_size.
_WIDTHS: Mapping[str, tuple[str, ...]] = {
    "distilbert": ("dim",),
    "mobilebert": ("intra_bottleneck_size", "hidden_size"),
}
# Projections that take the hidden state: others may be as wide as the feed-forward part.
_ATTENTION = {f"{name}{ending}" for name in ("query", "key", "value") for ending in ("", "_proj", "_global")}
_ATTENTION |= {f"{name}_{ending}" for name in "qkv" for ending in ("lin", "proj")} | {"Wqkv", "in_proj"}


class Ia3(MethodSettings):
    """Learnt rescaling of keys, values and feed-forward activations (Liu et al. 2022)."""

    kind: Literal["ia3"] = "ia3"

    is_adapter: ClassVar[bool] = True

    @property
    def description(self) -> str:
        return "scalings of activations trained (IA3)"

    def parameters_per_layer(self, shape: ModelShape) -> float:
        return 2 * shape.hidden + 2 * shape.intermediate


class _Rotation(MethodSettings):
    """Rotates the inputs of projections in blocks."""

    block_size: PositiveInt = Field(8, description="width of a rotated block")

    is_adapter: ClassVar[bool] = True

    @property
    def unit(self) -> int:
        """Return what the number of inputs must be a multiple of."""
        return self.block_size

    def _unit_in_words(self) -> str:
        return f"block_size {self.block_size}"

    def unsupported_backbone(self, backbone: BackboneSpec) -> str | None:
        for width in _rotated_widths(backbone):
            if width % self.unit:
                return (
                    f"{self.kind} cuts the {width} inputs of a projection of {backbone.name} into blocks: "
                    f"{self._unit_in_words()} does not divide {width}, {width % self.unit} are left over"
                )
        return None

    @classmethod
    def to_measure(cls) -> tuple[Self, ...]:
        return (cls(block_size=4),)

    def at_smoke_size(self, *, layers: int, block_size: int) -> Self:
        return self.model_copy(update={"block_size": block_size})


def _rotated_widths(backbone: BackboneSpec) -> list[int]:
    """Input widths of the projections that are rotated; empty where they are not known."""
    if backbone.lora_targets is not None and not _ATTENTION.issuperset(backbone.lora_targets):
        return []
    return shape_values(backbone, _WIDTHS.get(backbone.architecture, ("hidden_size",)))


class Oft(_Rotation):
    """Orthogonal rotation of the weights, in blocks (Qiu et al. 2023)."""

    kind: Literal["oft"] = "oft"

    @property
    def description(self) -> str:
        return f"rotations of the weights trained (OFT, blocks of {self.block_size})"

    def parameters_per_layer(self, shape: ModelShape) -> float:
        return 3 * shape.hidden * self.block_size / 2


class Boft(_Rotation):
    """Orthogonal rotation factored into butterflies (Liu et al. 2024)."""

    kind: Literal["boft"] = "boft"
    block_size: PositiveInt = Field(4, description="width of a rotated block")
    factors: PositiveInt = Field(1, description="butterfly factors of a rotation")

    @property
    def description(self) -> str:
        return f"rotations of the weights trained (BOFT, blocks of {self.block_size})"

    @property
    def unit(self) -> int:
        return self.block_size << (self.factors - 1)

    def _unit_in_words(self) -> str:
        if self.factors == 1:
            return super()._unit_in_words()
        return f"block_size {self.block_size} x 2^{self.factors - 1} of factors {self.factors} = {self.unit}"

    def parameters_per_layer(self, shape: ModelShape) -> float:
        return 3 * shape.hidden * self.block_size * self.factors

    def unsupported_backbone(self, backbone: BackboneSpec) -> str | None:
        if self.factors > 1 and self.block_size % 2:
            return (
                f"boft with factors: {self.factors} swaps halves of blocks, and block_size "
                f"{self.block_size} is odd"
            )
        return super().unsupported_backbone(backbone)

    def at_smoke_size(self, *, layers: int, block_size: int) -> Self:
        return self.model_copy(update={"block_size": block_size, "factors": 1})
