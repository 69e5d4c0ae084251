"""Examples to what a model reads, and what it answers back to labels."""

from workers.tasks.encoding import (
    IGNORED,
    Encoded,
    LogitMeaning,
    decode_subwords,
    decode_tags,
    encode,
    given_labels,
    predicted_values,
    target_scale,
)

__all__ = [
    "IGNORED",
    "Encoded",
    "LogitMeaning",
    "decode_subwords",
    "decode_tags",
    "encode",
    "given_labels",
    "predicted_values",
    "target_scale",
]
