"""i2b2/VA 2010 as a relation task in the form of BLUE: a sentence with one masked pair of concepts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from orchestrator.errors import DataError
from workers.data.examples import Text
from workers.data.faults import Faults
from workers.data.readers.i2b2_concepts import NoteSentence, Place, annotation_lines
from workers.data.readers.i2b2_records import RecordFiles

_PLACE = r"([0-9]{1,6}):([0-9]{1,6}) ([0-9]{1,6}):([0-9]{1,6})"
_RELATION = re.compile(rf'c=".*"\s+{_PLACE}\|\|r="([^"|]*)"\|\|c=".*"\s+{_PLACE}\s*')
_MOST_CONCEPTS = 200  # per sentence; their pairs are the examples

# The types that each relation is between: Tr… treatment and problem, Te… test and problem, PIP two problems.
RELATIONS = {
    "PIP": ("problem", "problem"),
    "TeCP": ("problem", "test"),
    "TeRP": ("problem", "test"),
    "TrAP": ("problem", "treatment"),
    "TrCP": ("problem", "treatment"),
    "TrIP": ("problem", "treatment"),
    "TrNAP": ("problem", "treatment"),
    "TrWP": ("problem", "treatment"),
}

_Pair = tuple[int, int, int]  # the sentence, and two of its concepts in the order of the text


def read_pairs(
    record: RecordFiles,
    sentences: Sequence[NoteSentence],
    negative: str,
    types: Sequence[str],
    faults: Faults,
) -> Iterator[Text]:
    """Yield every two concepts of a sentence, whatever their types, in the order of the text.

    The label is the relation between the two in either order, else `negative`. A relation that is malformed,
    of a type outside `types`, or matches no pair is a problem. If problems are skipped, the pair that it
    names is left out, because it is not a negative. A repeated relation is set aside.
    """
    related = _related(record, sentences, types, faults)
    for number, sentence in enumerate(sentences):
        if len(sentence.concepts) > _MOST_CONCEPTS:
            problem = f"a sentence with more than {_MOST_CONCEPTS} concepts"
            faults.found(DataError(record.gold[".con"].place, None, problem, "check its annotations"))
            continue
        for a, b in combinations(range(len(sentence.concepts)), 2):
            label = related.get((number, a, b), negative)
            if label is not None:
                faults.relations += (number, a, b) in related
                yield Text(_masked(sentence, a, b), None, label, record.name)


def _related(
    record: RecordFiles, sentences: Sequence[NoteSentence], types: Sequence[str], faults: Faults
) -> dict[_Pair, str | None]:
    """Return the label of each related pair; None if no supported label could be read."""
    file = record.gold[".rel"]
    indices: dict[Place, list[tuple[int, int]]] = {}
    for number, sentence in enumerate(sentences):
        for index, concept in enumerate(sentence.concepts):
            indices.setdefault(concept.place, []).append((number, index))
    related: dict[_Pair, str | None] = {}
    for line, content in annotation_lines(file, faults):
        match = _RELATION.fullmatch(content)
        problem = None
        if match is None:
            problem = "the line is no relation"
        else:
            left, right = _span(match.group(1, 2, 3, 4)), _span(match.group(6, 7, 8, 9))
            pairs = _pairs(sentences, indices.get(left, []), indices.get(right, []))
            fitting = [pair for pair, kinds in pairs if kinds == RELATIONS.get(match[5])]
            if match[5] not in types or match[5] not in RELATIONS:
                problem = "a type of relation that the task does not know"
            elif not fitting:
                problem = "a relation that matches no two concepts of one sentence"
            elif related.get(fitting[0]) is None:
                related[fitting[0]] = match[5]
            elif related[fitting[0]] != match[5]:
                problem = "another relation between two concepts that have one"
            else:
                faults.set_aside["repeated relations"] += 1
            if problem is not None:
                related = dict.fromkeys(pair for pair, _ in pairs) | related
        if problem is not None:
            fix = 'write c="text" L:T L:T||r="type"||c="text" L:T L:T, with places as in the .con file'
            faults.found(DataError(file.place, line, problem, fix))
    return related


def _span(numbers: Sequence[str]) -> Place:
    first_line, first_token, last_line, last_token = map(int, numbers)
    return first_line, first_token, last_line, last_token


def _pairs(
    sentences: Sequence[NoteSentence],
    lefts: Sequence[tuple[int, int]],
    rights: Sequence[tuple[int, int]],
) -> list[tuple[_Pair, tuple[str, ...]]]:
    """Return the pairs in one sentence and their sorted types; concepts of different types may share a
    position."""
    pairs = []
    for sentence, left in lefts:
        for other_sentence, right in rights:
            if sentence == other_sentence and left != right:
                concepts = sentences[sentence].concepts
                kinds = tuple(sorted((concepts[left].span.type, concepts[right].span.type)))
                pairs.append(((sentence, min(left, right), max(left, right)), kinds))
    return pairs


def _masked(sentence: NoteSentence, a: int, b: int) -> str:
    """Return the sentence with `@type$` for each of the two concepts, or `@type-type$` for two that
    overlap."""
    words, left, right = sentence.words, sentence.concepts[a].span, sentence.concepts[b].span
    if right.first < left.end:
        mask = f"@{left.type}-{right.type}$"
        return " ".join([*words[: left.first], mask, *words[max(left.end, right.end) :]])
    between = words[left.end : right.first]
    return " ".join(
        [*words[: left.first], f"@{left.type}$", *between, f"@{right.type}$", *words[right.end :]]
    )
