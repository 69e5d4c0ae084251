"""Sub-words and label ids of examples, and the way back from logits to tags of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import DataError, WeightsError
from workers.data.examples import Example, Text, Tokens

IGNORED = -100  # the label of a sub-word that takes no part in the loss


@dataclass(frozen=True, repr=False)
class Encoded:
    """Encoded examples, unpadded, all lists of one length and in the order of the examples.

    `labels` holds one id per example, or for ner one per sub-word: the word's at its first sub-word, else
    IGNORED. `tags` and `places` exist for ner: the gold tag of each word, and the index of its first
    sub-word, None for a word that was cut off or gave no sub-word.
    """

    input_ids: list[list[int]]
    labels: list[int] | list[list[int]]
    token_type_ids: list[list[int]] | None  # None where the tokenizer makes none
    truncated: int  # examples that were cut to max_length
    tags: list[list[str]] = field(default_factory=list)
    places: list[list[int | None]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.input_ids)


def encode(
    kind: TaskKind, examples: Sequence[Example], labels: Sequence[str], tokenizer: Any, max_length: int
) -> Encoded:
    """Encode for a model whose class i is `labels[i]`. `max_length` counts sub-words, special ones included.

    Raises WeightsError for a tokenizer that does not map sub-words to words, DataError for a label that is
    not among `labels`.
    """
    if not tokenizer.is_fast:
        raise WeightsError(
            f"{type(tokenizer).__name__} is not a fast tokenizer, which the labels of words need\n"
            "    -> give the backbone a tokenizer.json"
        )
    ids = {label: index for index, label in enumerate(labels)}
    if kind is TaskKind.NER:
        return _encode_words([e for e in examples if isinstance(e, Tokens)], ids, tokenizer, max_length)
    return _encode_texts([e for e in examples if isinstance(e, Text)], ids, tokenizer, max_length)


def _encode_texts(examples: Sequence[Text], ids: dict[str, int], tokenizer: Any, max_length: int) -> Encoded:
    _check_known({example.label for example in examples}, ids)
    texts = [example.text for example in examples]
    seconds = [example.second_text or "" for example in examples]
    paired = any(example.second_text is not None for example in examples)
    batch = tokenizer(texts, seconds if paired else None, truncation=True, max_length=max_length)
    return Encoded(
        input_ids=batch["input_ids"],
        labels=[ids[example.label] for example in examples],
        token_type_ids=batch.get("token_type_ids"),
        truncated=_truncated(batch, len(examples)),
    )


def _encode_words(
    examples: Sequence[Tokens], ids: dict[str, int], tokenizer: Any, max_length: int
) -> Encoded:
    _check_known({tag for example in examples for tag in example.tags}, ids)
    words = [list(example.tokens) for example in examples]
    batch = tokenizer(words, is_split_into_words=True, truncation=True, max_length=max_length)
    labels: list[list[int]] = []
    places: list[list[int | None]] = []
    for index, example in enumerate(examples):
        first: list[int | None] = [None] * len(example.tags)
        row = [IGNORED] * len(batch["input_ids"][index])
        for place, word in enumerate(batch.word_ids(index)):
            if word is not None and first[word] is None:
                first[word] = place
                row[place] = ids[example.tags[word]]
        labels.append(row)
        places.append(first)
    return Encoded(
        input_ids=batch["input_ids"],
        labels=labels,
        token_type_ids=batch.get("token_type_ids"),
        truncated=_truncated(batch, len(examples)),
        tags=[list(example.tags) for example in examples],
        places=places,
    )


def decode_tags(
    encoded: Encoded, logits: Sequence[NDArray[np.floating[Any]]], labels: Sequence[str]
) -> list[list[str]]:
    """The predicted tag of each word: the class of its first sub-word, O for one that the model did not see.

    `logits`, in the order of the examples, is [n, T, c] or n arrays of [T_i, c]; what follows an example's
    own sub-words is padding and not looked at.
    """
    predicted = []
    for places, scores in zip(encoded.places, logits, strict=True):
        best = np.asarray(scores).argmax(axis=-1)
        predicted.append(["O" if place is None else labels[int(best[place])] for place in places])
    return predicted


def _truncated(batch: Any, examples: int) -> int:
    return sum(bool(batch.encodings[index].overflowing) for index in range(examples))


def _check_known(found: set[str], ids: dict[str, int]) -> None:
    if unknown := len(found - ids.keys()):
        raise DataError(
            "the examples",
            None,
            f"{unknown} labels that the train part does not hold",
            "declare all of them under `labels` of the task, or mend the data",
        )
