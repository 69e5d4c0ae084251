"""How large a backbone is, and how much of it a method trains, from its catalogue entry. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.contracts.backbone import BackboneSpec, MadeWeights
from orchestrator.contracts.method import (
    AdaLora,
    BitFit,
    Boft,
    Full,
    HeadOnly,
    Ia3,
    LnTuning,
    Lora,
    Oft,
    Prefix,
    Prompt,
    PTuning,
    Settings,
    TopLayers,
    Vera,
)

_LABELS = 64  # of a head: more than any task here has
# Keys by which configurations of transformers name one thing.
_LAYERS = ("num_hidden_layers", "n_layers", "n_layer")
_HIDDEN = ("hidden_size", "dim", "n_embd", "d_model")
_INTERMEDIATE = ("intermediate_size", "hidden_dim", "n_inner")
_HEADS = ("num_attention_heads", "n_heads", "n_head")


@dataclass(frozen=True, slots=True)
class Shape:
    """`parameters` is the total, `embeddings` those of them that are looked up, not multiplied with."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    parameters: int
    embeddings: int

    @property
    def layer_parameters(self) -> float:
        return (self.parameters - self.embeddings) / self.layers

    @property
    def head_parameters(self) -> int:
        """With a pooler, which many heads have."""
        return self.hidden * (self.hidden + _LABELS)


def shape_of(backbone: BackboneSpec) -> Shape | None:
    """None where the entry does not say how large the model is."""
    weights, given = backbone.weights, backbone.shape
    if isinstance(weights, MadeWeights):
        h, i, made = weights.hidden_size, weights.intermediate_size, weights.layers
        embeddings = weights.vocabulary * h
        return Shape(made, h, i, weights.heads, embeddings + made * (4 * h * h + 2 * h * i), embeddings)
    hidden, layers = _first(given, _HIDDEN), _first(given, _LAYERS)
    if backbone.parameters is None or hidden is None or layers is None or "vocab_size" not in given:
        return None
    kept = len(backbone.keep_layers) if backbone.keep_layers is not None else layers
    return Shape(
        layers=kept,
        hidden=hidden,
        intermediate=_first(given, _INTERMEDIATE) or 4 * hidden,
        heads=_first(given, _HEADS) or 1,
        parameters=backbone.parameters,
        embeddings=int(given["vocab_size"]) * int(given.get("embedding_size", hidden)),
    )


def _first(given: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    return next((int(given[key]) for key in keys if given.get(key) is not None), None)


def trained_parameters(shape: Shape, settings: Settings) -> int:
    """Scalars that the method trains, the head included; an upper bound where the entry cannot tell."""
    if isinstance(settings, Full):
        return shape.parameters
    if isinstance(settings, TopLayers):
        return round(min(settings.layers, shape.layers) * shape.layer_parameters) + shape.head_parameters
    return round(shape.layers * _a_layer(shape, settings)) + _outside(shape, settings) + shape.head_parameters


def _a_layer(shape: Shape, settings: Settings) -> float:
    h, i = shape.hidden, shape.intermediate
    if isinstance(settings, Lora):
        both = {"usual": 6 * h, "attention": 8 * h, "feed-forward": 3 * (h + i), "all": 11 * h + 3 * i}
        return settings.rank * both[settings.targets] + (4 * h + 3 * i if settings.dora else 0)
    if isinstance(settings, AdaLora):
        return settings.start_rank * 6 * h
    if isinstance(settings, Vera):
        return 3 * (settings.rank + h)
    if isinstance(settings, Ia3):
        return 2 * h + 2 * i
    if isinstance(settings, Oft):
        return 3 * h * settings.block_size / 2
    if isinstance(settings, Boft):
        return 3 * h * settings.block_size * settings.factors
    if isinstance(settings, BitFit | LnTuning):
        return 10 * h + 2 * i
    if isinstance(settings, Prefix):
        return settings.virtual_tokens * 2 * h
    assert isinstance(settings, HeadOnly | Prompt | PTuning)
    return 0


def _outside(shape: Shape, settings: Settings) -> int:
    if isinstance(settings, Prompt):
        return settings.virtual_tokens * shape.hidden
    if isinstance(settings, PTuning):
        inner = settings.encoder_hidden_size
        return settings.virtual_tokens * shape.hidden + inner * (2 * shape.hidden + inner)
    return 0
