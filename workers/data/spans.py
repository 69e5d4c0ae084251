"""Spans of words: their BIO tags, and the lines that a span holds together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class WordSpan:
    first: int
    end: int  # exclusive, above `first`
    type: str


def tags_of(count: int, spans: Sequence[WordSpan]) -> tuple[list[str], int]:
    """BIO tags of `count` words, and how many of the spans they cannot hold.

    Of spans that share a word the longest is held, of equally long ones the first.
    """
    tags = ["O"] * count
    left_out = 0
    for span in sorted(spans, key=lambda span: (span.first - span.end, span.first)):
        # What is held already is at least as long, so it covers an end of this one wherever they meet.
        if tags[span.first] == tags[span.end - 1] == "O":
            tags[span.first : span.end] = [
                f"B-{span.type}",
                *[f"I-{span.type}"] * (span.end - span.first - 1),
            ]
        else:
            left_out += 1
    return tags, left_out


def joined_lines(count: int, bridges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """`count` lines as runs (first, end exclusive): those that a bridge (first, last) spans stay together."""
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
