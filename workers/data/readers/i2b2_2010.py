"""Turn i2b2/VA 2010 into examples: tagged sentences, or sentences with one masked pair of concepts."""

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
    """Yield the sentences of the selected records with BIO tags; of concepts that share a word the longest is
    kept.

    `types` None uses the three types of the corpus. `read_records` and `read_sentences` define problems and
    what is set aside; concepts that no tag can represent are set aside too.
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
    """Yield every pair of concepts in a sentence, as `read_pairs` does; `types` None accepts all
    relations."""
    for record in read_records(names, root, (".con", ".rel"), faults, selected):
        sentences = read_sentences(record, TYPES, faults)
        yield from read_pairs(record, sentences, negative, types or tuple(RELATIONS), faults)
