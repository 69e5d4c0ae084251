"""What of a column may be names of classes, or of several labels per row."""

from __future__ import annotations

import re
from collections import Counter

from orchestrator.contracts.sameness import text_key
from workers.data.labels import doubt_about_labels

_BETWEEN_LABELS = (";", "|", ",")
_MOST_WORDS = 30  # of a text that may be labels
_NUMBER = re.compile(r"[-+]?[0-9]+([.,][0-9]+)*")


def class_sizes(values: Counter[str]) -> tuple[int, ...] | None:
    """Return the rows of each value, the largest first; None unless the values can be names of classes."""
    if len(values) < 2 or doubt_about_labels(values):
        return None
    return tuple(sorted(values.values(), reverse=True))


def several_labels(texts: Counter[str]) -> tuple[str | None, tuple[int, ...] | None]:
    """Return what is between the labels of each text, with the rows of each label; (None, None) where no text
    has several. There have to be fewer labels than combinations of them; a column of numbers has none."""
    if sum(map(_is_long, texts)) > len(texts) / 20 or all(map(_NUMBER.fullmatch, texts)):
        return None, None
    for separator in _BETWEEN_LABELS:
        labels = Counter[str]()
        for text, count in texts.items():
            parts = {text_key(part) for part in text.split(separator)} - {""}
            labels.update(dict.fromkeys(parts, count))
        if len(labels) < len(texts) and (sizes := class_sizes(labels)) is not None:
            return separator, sizes
    return None, None


def _is_long(text: str) -> bool:
    return text.count(" ") > _MOST_WORDS
