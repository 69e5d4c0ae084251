"""Whether the settings of a method fit the shape of a backbone, by arithmetic, before anything is booked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.contracts.backbone import BackboneSpec, MadeWeights
from orchestrator.contracts.method import Boft, Oft, Settings, TopLayers, virtual_tokens

# Marks at the beginning, between and at the end of two texts take four places; a word of each is the least.
SHORTEST_TEXT = 8

_LAYERS = ("num_hidden_layers", "n_layers", "n_layer")
_WIDTHS: Mapping[
    str, tuple[str, ...]
] = {  # what the projections of attention take, where it is not hidden_size
    "distilbert": ("dim",),
    "mobilebert": ("intra_bottleneck_size", "hidden_size"),
}
# Projections that take the hidden state: others may be as wide as the feed-forward part.
_ATTENTION = {f"{name}{ending}" for name in ("query", "key", "value") for ending in ("", "_proj", "_global")}
_ATTENTION |= {f"{name}_{ending}" for name in "qkv" for ending in ("lin", "proj")} | {"Wqkv", "in_proj"}


def text_room(backbone: BackboneSpec, settings: Settings) -> int:
    """Tokens of text that the backbone takes beside the method's virtual tokens; not more than 0 for none."""
    return backbone.max_length - virtual_tokens(settings)


def unfit(backbone: BackboneSpec, settings: Settings) -> str | None:
    """Why the method cannot stand on the backbone, with the figures; None where it can, or where the shape is
    not known."""
    room = text_room(backbone, settings)
    if room < min(SHORTEST_TEXT, backbone.max_length):
        return (
            f"virtual_tokens {virtual_tokens(settings)} of the {backbone.max_length} tokens that "
            f"{backbone.name} takes leave {room} for the text, and it needs {SHORTEST_TEXT}"
        )
    if isinstance(settings, TopLayers):
        depth = layers(backbone)
        if depth is not None and settings.layers > depth:
            return f"top-layers is to train layers: {settings.layers}, and {backbone.name} has {depth}"
    return _rotation(backbone, settings) if isinstance(settings, Oft | Boft) else None


def _rotation(backbone: BackboneSpec, settings: Oft | Boft) -> str | None:
    size, factors = settings.block_size, settings.factors if isinstance(settings, Boft) else 1
    if factors > 1 and size % 2:
        return f"boft with factors: {factors} swaps halves of blocks, and block_size {size} is odd"
    unit = size * 2 ** (factors - 1)
    of = f"block_size {size}" + (f" x 2^{factors - 1} of factors {factors} = {unit}" if factors > 1 else "")
    for width in rotated_widths(backbone):
        if width % unit:
            return (
                f"{settings.kind} cuts the {width} inputs of a projection of {backbone.name} into blocks: "
                f"{of} does not divide {width}, {width % unit} are left over"
            )
    return None


def layers(backbone: BackboneSpec) -> int | None:
    """After `keep_layers`; None where the shape is not known."""
    if backbone.keep_layers is not None:
        return len(backbone.keep_layers)
    return next(iter(_figures(backbone, _LAYERS)), None)


def rotated_widths(backbone: BackboneSpec) -> list[int]:
    """Input widths of the projections that oft and boft rotate; empty where they are not known."""
    if backbone.lora_targets is not None and not _ATTENTION.issuperset(backbone.lora_targets):
        return []
    return _figures(backbone, _WIDTHS.get(backbone.architecture, ("hidden_size",)))


def _figures(backbone: BackboneSpec, keys: tuple[str, ...]) -> list[int]:
    shape: Mapping[str, Any] = backbone.shape
    if isinstance(backbone.weights, MadeWeights):
        shape = {
            "num_hidden_layers": backbone.weights.layers,
            "hidden_size": backbone.weights.hidden_size,
        }
    return [shape[key] for key in keys if isinstance(shape.get(key), int)]
