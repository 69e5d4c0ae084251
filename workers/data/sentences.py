"""Running text to sentences, words and BIO tags.

Text is cut into sentences and words before it is compared with the mentions: a splitter that knew the gold
mentions would leak their boundaries into dev and test.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.data.pubtator import Mention

# After a full stop, before what begins a sentence. The number of sentence pairs of a corpus hangs on it.
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
    """Runs of letters, digits and underscores; every other character that is no space stands alone."""
    return [match.span() for match in _WORD.finditer(text, *sentence)]


def bio_tags(words: Sequence[Span], mentions: Sequence[Mention]) -> list[str]:
    """A tag for each word of one sentence. A word belongs to a mention when they share a character.

    `mentions` are in order of their start. One that shares a word with an earlier one is left out, as BIO
    cannot hold both; of one that runs over the end of the sentence the rest is left out.
    """
    tags = ["O"] * len(words)
    first = 0
    for mention in mentions:
        while first < len(words) and words[first][1] <= mention.start:
            first += 1
        last = first
        while last < len(words) and words[last][0] < mention.end:
            last += 1
        if last > first and all(tag == "O" for tag in tags[first:last]):
            tags[first:last] = [f"B-{mention.type}", *[f"I-{mention.type}"] * (last - first - 1)]
    return tags
