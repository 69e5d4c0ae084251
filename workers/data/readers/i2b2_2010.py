"""i2b2/VA 2010 to examples: tagged sentences, or sentences with one masked pair of concepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from workers.data.examples import Text, Tokens
from workers.data.faults import Faults
from workers.data.holdout import Selector
from workers.data.readers.i2b2_concepts import TYPES, read_sentences
from workers.data.readers.i2b2_records import read_records
from workers.data.readers.i2b2_relations import RELATIONS, read_pairs
from workers.data.spans import tags_of


def concept_sentences(
    names: Sequence[str], root: Path, types: Sequence[str] | None, faults: Faults, selected: Selector
) -> Iterator[Tokens]:
    """The sentences of the wanted records with BIO tags; of concepts that share a word the longest is held.

    `types` None takes the three of the corpus. What is a fault and what is set aside say `read_records` and
    `read_sentences`; concepts that no tag can hold are set aside.
    """
    for record in read_records(names, root, (".con",), faults, selected):
        for sentence in read_sentences(record, types or TYPES, faults):
            spans = (concept.span for concept in sentence.concepts)
            yield Tokens(sentence.words, tags_of(len(sentence.words), spans, faults), record.name)


def concept_pairs(
    names: Sequence[str],
    root: Path,
    types: Sequence[str] | None,
    negative: str,
    faults: Faults,
    selected: Selector,
) -> Iterator[Text]:
    """Every pair of concepts of a sentence, as `read_pairs` gives them; `types` None takes all relations."""
    for record in read_records(names, root, (".con", ".rel"), faults, selected):
        sentences = read_sentences(record, TYPES, faults)
        yield from read_pairs(record, sentences, negative, types or tuple(RELATIONS), faults)
