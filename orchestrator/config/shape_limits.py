"""Whether the settings of a method fit the shape of a backbone, by arithmetic, before anything is booked."""

from __future__ import annotations

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import Settings

# Marks at the beginning, between and at the end of two texts take four places; a word of each is the least.
SHORTEST_TEXT = 8


def text_room(backbone: BackboneSpec, settings: Settings) -> int:
    """Tokens of text that the backbone takes beside the method's virtual tokens; not more than 0 for none."""
    return backbone.max_length - settings.extra_tokens


def unfit(backbone: BackboneSpec, settings: Settings) -> str | None:
    """Return why the backbone's shape does not support the method, with the figures; None if it does, or if
    the shape is unknown."""
    room = text_room(backbone, settings)
    if room < min(SHORTEST_TEXT, backbone.max_length):
        return (
            f"virtual_tokens {settings.extra_tokens} of the {backbone.max_length} tokens that "
            f"{backbone.name} takes leave {room} for the text, and it needs {SHORTEST_TEXT}"
        )
    return settings.unsupported_backbone(backbone)
