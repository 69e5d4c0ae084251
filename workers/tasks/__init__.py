"""Examples to what a model reads, and what it answers back to labels."""

from workers.tasks.encoding import IGNORED, Encoded, decode_subwords, decode_tags, encode

__all__ = ["IGNORED", "Encoded", "decode_subwords", "decode_tags", "encode"]
