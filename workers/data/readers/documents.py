"""Turn annotated documents into examples: tagged sentences, or sentences with one masked pair of mentions.

Every annotation is either part of an example or counted as set aside.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

from orchestrator.errors import DataError
from workers.data.examples import Text, Tokens
from workers.data.faults import Faults
from workers.data.readers.document_relations import read_relations
from workers.data.readers.pubtator import Abstract, Mention
from workers.data.readers.sentences import Span, words_of
from workers.data.spans import WordSpan, joined_sentences, tag_sentences

_MOST_MENTIONS = 200  # per sentence; their pairs are the examples


def tagged_sentences(document: Abstract, types: tuple[str, ...], faults: Faults) -> Iterator[Tokens]:
    """Yield every sentence that holds a word, with BIO tags of `types`.

    Sentences that share a mention are joined. Mentions of other types, repeated mentions, and mentions that
    share a word with a longer one are set aside.
    """
    words, bounds = words_of(document.text)
    selected = [mention for mention in document.mentions if mention.type in types]
    if len(selected) < len(document.mentions):
        faults.set_aside["of another type"] += len(document.mentions) - len(selected)
    mentions = _once(selected, faults.set_aside)
    spans = [WordSpan(*_word_span(words, mention), mention.type) for mention in mentions]
    for inside, tags in tag_sentences(bounds, spans, faults):
        tokens = tuple(document.text[start:end] for start, end in words[inside])
        yield Tokens(tokens, tags, document.name)


def masked_pairs(
    document: Abstract,
    types: tuple[str, str],
    relation: str,
    negative: str,
    file: str,
    faults: Faults,
) -> Iterator[Text]:
    """Yield every pair of mentions, one of each type, in one sentence, both masked by their type.

    The label is `relation` if the document relates an id of the first to an id of the second, in either
    order; otherwise it is `negative`. The label describes the document, not always the sentence, so it is
    noisy by construction. Sentences that share a mention are joined.

    Set aside are repeated mentions (their ids are joined), mentions without an id (no relation could name
    them), relations of another type, repeated relations, and relations that label no pair. Mentions of other
    types are ignored. A document of `file` is a problem if an id of a relation matches no mention, because a
    related pair would be labelled negative, or if a sentence has absurdly many mentions.
    """
    aside: Counter[str] = Counter()
    mentions = _once([mention for mention in document.mentions if mention.type in types], aside)
    aside["without an id"] += sum(not mention.ids for mention in mentions)
    sentences = list(_sentences(document.text, mentions))
    relations = read_relations(document, relation, file, aside)
    if any(len(sentence.mentions) > _MOST_MENTIONS for sentence in sentences):
        problem = f"a sentence with more than {_MOST_MENTIONS} mentions"
        relations = DataError(file, None, problem, "check its annotations")
    if isinstance(relations, DataError):
        faults.found(relations)
        return
    for sentence in sentences:
        for first, second in _pairs(sentence.mentions, types):
            label = relation if relations.hold(first, second) else negative
            yield Text(_masked(document.text, sentence.span, first, second), None, label, document.name)
    relations.count_others(mentions, types, aside)
    faults.relations += relations.held
    faults.set_aside.update(+aside)


@dataclass(frozen=True, repr=False)
class _Sentence:
    span: Span
    mentions: list[Mention]  # only those with an id


def _once(mentions: Sequence[Mention], aside: Counter[str]) -> list[Mention]:
    """Return the mentions without repetitions; mentions with the same type and offsets become one with all
    ids."""
    unique: dict[tuple[int, int, str], Mention] = {}
    for mention in mentions:
        key = mention.start, mention.end, mention.type
        if key in unique:
            aside["repeated"] += 1
            unique[key] = replace(mention, ids=unique[key].ids | mention.ids)
        else:
            unique[key] = mention
    return list(unique.values())


def _word_span(words: Sequence[Span], mention: Mention) -> tuple[int, int]:
    """Return the first word and the end of the words that share a character with the mention."""
    first = bisect_right(words, mention.start, key=lambda word: word[1])
    return first, bisect_left(words, mention.end, key=lambda word: word[0])


def _sentences(text: str, mentions: Sequence[Mention]) -> Iterator[_Sentence]:
    words, bounds = words_of(text)
    spans = [_word_span(words, mention) for mention in mentions]
    for first, end, inside in joined_sentences(bounds, spans):
        if inside:
            span = words[first][0], words[end - 1][1]
            yield _Sentence(span, [mentions[index] for index in inside if mentions[index].ids])


def _pairs(mentions: Sequence[Mention], types: tuple[str, str]) -> Iterator[tuple[Mention, Mention]]:
    if types[0] == types[1]:
        return combinations(mentions, 2)
    of_type = [[mention for mention in mentions if mention.type == kind] for kind in types]
    return product(of_type[0], of_type[1])


def _masked(text: str, sentence: Span, first: Mention, second: Mention) -> str:
    """Return the sentence with `@type$` for each of the two mentions, or `@type-type$` for two that
    overlap."""
    start, end = sentence
    left, right = sorted((first, second), key=lambda mention: (mention.start, mention.end))
    if right.start < left.end:
        mask = f"@{first.type.lower()}-{second.type.lower()}$"
        return text[start : left.start] + mask + text[max(left.end, right.end) : end]
    return (
        f"{text[start : left.start]}@{left.type.lower()}${text[left.end : right.start]}"
        f"@{right.type.lower()}${text[right.end : end]}"
    )
