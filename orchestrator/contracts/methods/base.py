"""What a method says of itself before anything runs: what it trains, keeps in memory and cannot do."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.model_shape import ModelShape
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Precision

Quantise = Literal["int8", "nf4"]


class MethodSettings(Record):
    """The settings of a method, and what follows from them. Pure: plan, catalogue and worker ask the same
    questions. The defaults are those of an adapter's frozen base; a method overrides what differs.

    A subclass that sets `kind` is a method. `workers.methods` has its other half.
    """

    kind: str = ""

    is_adapter: ClassVar[bool] = False  # adds weights of its own, which PEFT saves and loads
    embeds_virtual_tokens: ClassVar[bool] = False  # in front of the text's own embeddings
    trains_everything: ClassVar[bool] = False
    trains_head_alone: ClassVar[bool] = False  # the backbone is only read from, in evaluation mode
    trains_whole_layers: ClassVar[bool] = False
    needs_planned_steps: ClassVar[bool] = False  # it cannot train by a budget of time
    recomputes_activations: ClassVar[bool] = True  # gradient checkpointing works
    flops_per_weight: ClassVar[int] = 4  # and token: 2 forward, 2 to the activations, 2 to trained weights

    @property
    def description(self) -> str:
        """Say which weights train, in plain words: it follows "a model pretrained on clinical text, "."""
        return f"{self.kind} trained"

    @property
    def extra_tokens(self) -> int:
        """Return how many positions of the text the method takes."""
        return 0

    @property
    def quantised_to(self) -> Quantise | None:
        """Return the type that the frozen base is quantised to, None if it is not."""
        return None

    def trained_parameters(self, shape: ModelShape) -> int:
        """Return the number of scalars that train, head included; an upper bound if the shape does not give
        it."""
        inside = round(shape.layers * self.parameters_per_layer(shape))
        return inside + self.parameters_outside_layers(shape) + shape.head_parameters

    def parameters_per_layer(self, shape: ModelShape) -> float:
        return 0

    def parameters_outside_layers(self, shape: ModelShape) -> int:
        """Return the trained parameters outside the layers, without the head."""
        return 0

    def active_layers(self, shape: ModelShape) -> int:
        """Return how many layers a gradient passes through."""
        return shape.layers

    def extra_activations(self, shape: ModelShape) -> float:
        """Return the bytes per token and layer that are kept beyond those of the usual adapters."""
        return 0

    def unsupported_backbone(self, backbone: BackboneSpec) -> str | None:
        """Return why the settings do not fit the backbone's shape, None if they do or it is unknown."""
        return None

    def unsupported_precision(self, precision: Precision) -> str | None:
        return None

    def unsupported_sharding(self, *, spreads_weights: bool) -> str | None:
        """Return why the method cannot train over processes that shard gradients and optimiser state, and
        with `spreads_weights` the weights as well; None if it can."""
        return None

    def table_rows(self) -> tuple[str, ...]:
        """Return the names in the method column of the capability table; the settings need all of them."""
        return (self.kind,)

    @classmethod
    def to_measure(cls) -> tuple[Self, ...]:
        """Return settings that fit a tiny model, for the capability table: one for each of `table_rows`."""
        return (cls(),)

    def at_smoke_size(self, *, layers: int, block_size: int) -> Self:
        """Return the settings with what follows from a backbone's shape reduced to a tiny model's."""
        return self
