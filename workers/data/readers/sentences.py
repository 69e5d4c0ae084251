"""Split running text into sentences and words.

Text is cut into sentences and words before it is compared with the mentions: a splitter that knew the gold
mentions would leak their boundaries into dev and test.
"""

from __future__ import annotations

import re

# After a full stop, before the start of a sentence. The number of sentence pairs of a corpus depends on it.
_GAP = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(\[])")
_WORD = re.compile(r"\w+|[^\w\s]")

Span = tuple[int, int]  # characters from, to (exclusive)


def sentence_spans(text: str) -> list[Span]:
    starts, ends = [0], []
    for gap in _GAP.finditer(text):
        ends.append(gap.start())
        starts.append(gap.end())
    return list(zip(starts, [*ends, len(text)], strict=True))


def word_spans(text: str, sentence: Span) -> list[Span]:
    """Return runs of letters, digits and underscores; every other character except spaces is a word of its
    own."""
    return [match.span() for match in _WORD.finditer(text, *sentence)]


def words_of(text: str) -> tuple[list[Span], list[int]]:
    """Return the words of all sentences, and the number of words before each sentence and before the end."""
    words: list[Span] = []
    bounds = [0]
    for sentence in sentence_spans(text):
        words += word_spans(text, sentence)
        bounds.append(len(words))
    return words, bounds
