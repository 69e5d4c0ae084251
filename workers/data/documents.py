"""Annotated documents to examples: tagged sentences, or sentences with one masked pair of mentions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from orchestrator.errors import DataError
from workers.data.examples import Text, Tokens
from workers.data.faults import Faults
from workers.data.pubtator import Document, Mention
from workers.data.sentences import Span, bio_tags, sentence_spans, word_spans

_MOST_MENTIONS = 200  # in one sentence; their pairs are the examples


def tagged_sentences(document: Document, types: tuple[str, ...]) -> Iterator[Tokens]:
    """Every sentence that holds a word, with BIO tags of `types`."""
    sentences = sentence_spans(document.text)
    starts = [start for start, _ in sentences]
    begun: list[list[Mention]] = [[] for _ in sentences]
    for mention in document.mentions:
        if mention.type in types:
            begun[bisect_right(starts, mention.start) - 1].append(mention)
    for sentence, mentions in zip(sentences, begun, strict=True):
        words = word_spans(document.text, sentence)
        if words:
            tokens = tuple(document.text[start:end] for start, end in words)
            yield Tokens(tokens, tuple(bio_tags(words, mentions)), document.name)


def masked_pairs(
    document: Document, types: tuple[str, str], relation: str, negative: str, file: str, faults: Faults
) -> Iterator[Text]:
    """Every pair of one mention of each type that lie in one sentence, both masked by their type.

    The label is `relation` where the document relates an id of the one to an id of the other, whichever comes
    first, else `negative`. So it says what holds in the document, not always what the sentence says: it is
    noisy by construction. A mention without an id is in no pair, as no relation could name it. A sentence of
    `file` with absurdly many mentions is a fault.
    """
    related = {frozenset(pair) for name, *pair in document.relations if name == relation}
    for sentence in sentence_spans(document.text):
        inside = _inside(document, sentence)
        if len(inside) > _MOST_MENTIONS:
            fault = f"a sentence with more than {_MOST_MENTIONS} mentions"
            faults.found(DataError(file, None, fault, "check its annotations"))
            continue
        for first in (mention for mention in inside if mention.type == types[0]):
            for second in (mention for mention in inside if mention.type == types[1]):
                holds = any(frozenset((a, b)) in related for a in first.ids for b in second.ids)
                text = _masked(document.text, sentence, first, second).strip()
                yield Text(text, None, relation if holds else negative, document.name)


def _inside(document: Document, sentence: Span) -> list[Mention]:
    """The mentions with an id that lie wholly in the sentence."""
    low = bisect_left(document.mentions, sentence[0], key=lambda mention: mention.start)
    high = bisect_left(document.mentions, sentence[1], key=lambda mention: mention.start)
    return [m for m in document.mentions[low:high] if m.ids and m.end <= sentence[1]]


def _masked(text: str, sentence: Span, first: Mention, second: Mention) -> str:
    """The sentence with `@type$` for each of the two; for two that overlap one `@type-type$` for both."""
    start, end = sentence
    left, right = sorted((first, second), key=lambda mention: (mention.start, mention.end))
    if right.start < left.end:
        both = f"@{first.type.lower()}-{second.type.lower()}$"
        return text[start : left.start] + both + text[max(left.end, right.end) : end]
    return (
        f"{text[start : left.start]}@{left.type.lower()}${text[left.end : right.start]}"
        f"@{right.type.lower()}${text[right.end : end]}"
    )
