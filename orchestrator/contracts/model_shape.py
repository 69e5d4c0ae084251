"""How large a model is: the numbers that parameter counts, memory and costs are computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.contracts.backbone import BackboneSpec, MadeWeights

_LABELS = 64  # of a head: more than any task here has
_LAYERS = ("num_hidden_layers", "n_layers", "n_layer")  # keys of configurations of transformers


@dataclass(frozen=True, slots=True)
class ModelShape:
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
        """Return the parameters of a head, with a pooler, which many heads have."""
        return self.hidden * (self.hidden + _LABELS)


def depth(backbone: BackboneSpec) -> int | None:
    """Return the layers that `keep_layers` leaves; None where the shape is not known."""
    if backbone.keep_layers is not None:
        return len(backbone.keep_layers)
    return next(iter(shape_values(backbone, _LAYERS)), None)


def shape_values(backbone: BackboneSpec, keys: tuple[str, ...]) -> list[int]:
    """Return the whole numbers that the entry's shape has under these keys, in their order."""
    shape: Mapping[str, Any] = backbone.shape
    if isinstance(backbone.weights, MadeWeights):
        shape = {
            "num_hidden_layers": backbone.weights.layers,
            "hidden_size": backbone.weights.hidden_size,
        }
    return [shape[key] for key in keys if isinstance(shape.get(key), int)]
