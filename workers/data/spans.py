"""Decide which annotations examples hold: one rule for every reader that cuts text into sentences.

Lines or sentences that share an annotation are joined, so that it stays whole. If annotations share a word,
BIO tags keep the longest; the others are counted as set aside.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from workers.data.faults import Faults


@dataclass(frozen=True, repr=False)
class WordSpan:
    first: int
    end: int  # exclusive, above `first`
    type: str


def tags_of(count: int, spans: Iterable[WordSpan], faults: Faults) -> tuple[str, ...]:
    """Return the BIO tags of `count` words. Of spans that share a word the longest is kept, of equally long
    ones the first; the others are set aside as "overlapping"."""
    tags = ["O"] * count
    for span in sorted(spans, key=lambda span: (span.first - span.end, span.first)):
        # Spans that are kept already are at least as long, so an overlapping one covers an end of this span.
        if tags[span.first] == tags[span.end - 1] == "O":
            tags[span.first : span.end] = [
                f"B-{span.type}",
                *[f"I-{span.type}"] * (span.end - span.first - 1),
            ]
        else:
            faults.set_aside["overlapping"] += 1
    return tuple(tags)


def tag_sentences(
    bounds: Sequence[int], spans: Sequence[WordSpan], faults: Faults
) -> Iterator[tuple[slice, tuple[str, ...]]]:
    """Yield the words of each sentence that has any, and their BIO tags. `bounds` as in
    `joined_sentences`."""
    for first, end, inside in joined_sentences(bounds, [(span.first, span.end) for span in spans]):
        if first < end:
            within = (spans[index] for index in inside)
            moved = [WordSpan(span.first - first, span.end - first, span.type) for span in within]
            yield slice(first, end), tags_of(end - first, moved, faults)


def joined_sentences(
    bounds: Sequence[int], spans: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, list[int]]]:
    """Yield sentences as (first word, end, indices of the spans in it in the order of their start).

    `bounds` are the words at which sentences begin, and the end of the last one; spans are (first word, end),
    not empty. Ends are exclusive. Sentences that share a span are one.
    """
    sentences = [(bisect_right(bounds, first) - 1, bisect_right(bounds, end - 1) - 1) for first, end in spans]
    waiting = sorted(range(len(spans)), key=lambda index: (spans[index][0], index), reverse=True)
    for first_sentence, end_sentence in joined_lines(len(bounds) - 1, sentences):
        inside = []
        while waiting and spans[waiting[-1]][0] < bounds[end_sentence]:
            inside.append(waiting.pop())
        yield bounds[first_sentence], bounds[end_sentence], inside


def joined_lines(count: int, bridges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return `count` lines as runs (first, end exclusive): lines that a bridge (first, last) spans stay
    together."""
    reach = list(range(count))
    for first, last in bridges:
        reach[first] = max(reach[first], last)
    runs: list[tuple[int, int]] = []
    start = last = 0
    for line in range(count):
        last = max(last, reach[line])
        if line == last:
            runs.append((start, line + 1))
            start = last = line + 1
    return runs
