"""Learnt virtual tokens before the text: prefix, prompt and P-tuning."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveInt

from orchestrator.contracts.methods.base import MethodSettings
from orchestrator.contracts.model_shape import ModelShape


class _Virtual(MethodSettings):
    """Learnt virtual tokens stand before the text, and take their places from its maximum length."""

    virtual_tokens: PositiveInt = Field(10, description="learned positions; they shorten the longest input")

    is_adapter: ClassVar[bool] = True

    @property
    def extra_tokens(self) -> int:
        return self.virtual_tokens

    def unsupported_sharding(self, *, spreads_weights: bool) -> str | None:
        if spreads_weights:
            return (
                "virtual tokens are kept as a network makes them, which no process holds whole if it is "
                "spread"
            )
        return None

    @classmethod
    def to_measure(cls) -> tuple[Self, ...]:
        return (cls(virtual_tokens=3),)


class Prefix(_Virtual):
    """Virtual keys and values before each layer (Li and Liang 2021)."""

    kind: Literal["prefix"] = "prefix"

    recomputes_activations: ClassVar[bool] = False  # keys and values from outside would be dropped

    @property
    def description(self) -> str:
        return f"a prefix of {self.virtual_tokens} vectors trained"

    def parameters_per_layer(self, shape: ModelShape) -> float:
        return self.virtual_tokens * 2 * shape.hidden


class Prompt(_Virtual):
    """Virtual token embeddings before the text (Lester et al. 2021)."""

    kind: Literal["prompt"] = "prompt"

    embeds_virtual_tokens: ClassVar[bool] = True

    @property
    def description(self) -> str:
        return f"a prompt of {self.virtual_tokens} vectors trained"

    def parameters_outside_layers(self, shape: ModelShape) -> int:
        return self.virtual_tokens * shape.hidden


class PTuning(_Virtual):
    """Virtual token embeddings that a small network makes (Liu et al. 2021)."""

    kind: Literal["p-tuning"] = "p-tuning"
    encoder_hidden_size: PositiveInt = Field(
        128, description="width of the network that makes the virtual tokens"
    )

    embeds_virtual_tokens: ClassVar[bool] = True

    @property
    def description(self) -> str:
        return f"a prompt of {self.virtual_tokens} vectors trained (p-tuning)"

    def parameters_outside_layers(self, shape: ModelShape) -> int:
        inner = self.encoder_hidden_size
        return self.virtual_tokens * shape.hidden + inner * (2 * shape.hidden + inner)

    @classmethod
    def to_measure(cls) -> tuple[Self, ...]:
        return (cls(virtual_tokens=3, encoder_hidden_size=8),)
