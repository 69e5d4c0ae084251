"""How large a backbone is, from its catalogue entry. Pure."""

from __future__ import annotations

from typing import Any

from orchestrator.contracts.backbone import BackboneSpec, MadeWeights
from orchestrator.contracts.model_shape import ModelShape, depth

# Keys by which configurations of transformers name one thing.
_HIDDEN = ("hidden_size", "dim", "n_embd", "d_model")
_INTERMEDIATE = ("intermediate_size", "hidden_dim", "n_inner")
_HEADS = ("num_attention_heads", "n_heads", "n_head")


def shape_of(backbone: BackboneSpec) -> ModelShape | None:
    """Return the shape of the model, None if the entry does not give its size."""
    weights, shape = backbone.weights, backbone.shape
    if isinstance(weights, MadeWeights):
        h, i, generated = weights.hidden_size, weights.intermediate_size, weights.layers
        embeddings = weights.vocabulary * h
        return ModelShape(
            generated, h, i, weights.heads, embeddings + generated * (4 * h * h + 2 * h * i), embeddings
        )
    hidden, layers = width_of(backbone), depth(backbone)
    if backbone.parameters is None or hidden is None or layers is None or "vocab_size" not in shape:
        return None
    return ModelShape(
        layers=layers,
        hidden=hidden,
        intermediate=_first(shape, _INTERMEDIATE) or 4 * hidden,
        heads=_first(shape, _HEADS) or 1,
        parameters=backbone.parameters,
        embeddings=int(shape["vocab_size"]) * int(shape.get("embedding_size", hidden)),
    )


def width_of(backbone: BackboneSpec) -> int | None:
    """Return the values of a hidden state, None if the entry does not say."""
    weights = backbone.weights
    return weights.hidden_size if isinstance(weights, MadeWeights) else _first(backbone.shape, _HIDDEN)


def _first(given: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    return next((int(given[key]) for key in keys if given.get(key) is not None), None)
