"""Sub-words and label ids of examples, and the way back from logits to tags of words."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import fmean, pstdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.contracts.target_scale import TargetScale
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import DataError, WeightsError
from workers.data.corpus import mentions_beyond
from workers.data.examples import Example, MultilabelText, RegressionText, Text, Tokens, labels_of

IGNORED = -100  # the label of a sub-word that takes no part in the loss
_SPACE = "\u2581"  # how SentencePiece writes one


class LogitMeaning(StrEnum):
    """What a row of logits says."""

    ONE_OF = "one_of"  # one class for a text, or for each word
    ANY_OF = "any_of"  # each label for itself
    NUMBER = "number"  # how many deviations the target is above the mean

    @classmethod
    def of(cls, kind: TaskKind) -> LogitMeaning:
        return {TaskKind.MULTILABEL: cls.ANY_OF, TaskKind.REGRESSION: cls.NUMBER}.get(kind, cls.ONE_OF)


@dataclass(frozen=True, repr=False)
class Encoded:
    """Encoded examples, unpadded, all lists of one length and in the order of the examples.

    `labels` holds one id per example, or for ner one per sub-word: the word's at its first sub-word, or at
    each of them where `repeated`, else IGNORED. For multilabel it holds 1.0 or 0.0 per label of the task,
    for regression the number on the `scale`; `values` are the numbers as they are in the files.
    `tags` and `places` exist for ner: the gold tag of each word, and the index of its first sub-word, None
    for a word that was cut off or gave no sub-word.
    """

    input_ids: list[list[int]]
    labels: list[int] | list[float] | list[list[int]] | list[list[float]]
    token_type_ids: list[list[int]] | None  # None where the tokenizer makes none
    truncated: int  # examples that were cut to max_length
    mentions_cut: int | None = None  # of ner: those that do not lie whole before the cut
    tags: list[list[str]] = field(default_factory=list)
    places: list[list[int | None]] = field(default_factory=list)
    repeated: bool = False
    were_cut: list[bool] = field(default_factory=list)  # of texts, each
    objective: LogitMeaning = LogitMeaning.ONE_OF
    values: list[float] = field(default_factory=list)
    scale: TargetScale | None = None

    def __len__(self) -> int:
        return len(self.input_ids)


def encode(
    kind: TaskKind,
    examples: Sequence[Example],
    labels: Sequence[str],
    tokenizer: Any,
    max_length: int,
    *,
    repeated: bool = False,
    scale: TargetScale | None = None,
) -> Encoded:
    """Encode for a model whose class i is `labels[i]`. `max_length` counts sub-words, special ones included.
    `scale`: that of the target, for regression.

    `repeated`: the tag of a word stands on all its sub-words, B- included, as Taylor et al. 2024 had it.
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
        sentences = [e for e in examples if isinstance(e, Tokens)]
        return _encode_words(sentences, ids, tokenizer, max_length, repeated)
    texts = [e for e in examples if isinstance(e, Text)]
    _check_known({label for example in texts for label in labels_of(example)}, ids)
    targets: list[Any] = [ids[e.label] for e in texts if not isinstance(e, MultilabelText | RegressionText)]
    if kind is TaskKind.MULTILABEL:
        targets = given_labels(texts, labels).astype(float).tolist()
    if kind is TaskKind.REGRESSION:
        return _encode_numbers(texts, scale, tokenizer, max_length)
    return _encode_texts(texts, targets, LogitMeaning.of(kind), tokenizer, max_length)


def target_scale(train: Sequence[Example]) -> TargetScale | None:
    """Return the scale of the numbers of train; None for tasks with classes. Raises DataError where
    they are all alike."""
    values = [example.value for example in train if isinstance(example, RegressionText)]
    if not values:
        return None
    if not (deviation := pstdev(values)) > 0:
        problem, fix = "all training rows that are used have the same number", "raise train_rows"
        raise DataError("the examples", None, problem, fix)
    return TargetScale(mean=fmean(values), deviation=deviation)


def _encode_numbers(
    examples: Sequence[Text], scale: TargetScale | None, tokenizer: Any, max_length: int
) -> Encoded:
    assert scale is not None
    values = [example.value for example in examples if isinstance(example, RegressionText)]
    labels = [(value - scale.mean) / scale.deviation for value in values]
    encoded = _encode_texts(examples, labels, LogitMeaning.NUMBER, tokenizer, max_length)
    return replace(encoded, values=values, scale=scale)


def given_labels(examples: Sequence[Example], labels: Sequence[str]) -> NDArray[np.bool_]:
    """Return whether each example has each label: (examples, labels)."""
    rows = [{*labels_of(example)} for example in examples]
    return np.array([[label in row for label in labels] for row in rows], dtype=bool)


def _encode_texts(
    examples: Sequence[Text], labels: list[Any], objective: LogitMeaning, tokenizer: Any, max_length: int
) -> Encoded:
    """Of a pair that is too long the longer text is cut first, so that neither one is lost."""
    texts = [example.text for example in examples]
    between = _between(tokenizer)
    seconds = [between + (example.second_text or "") for example in examples]
    paired = any(example.second_text is not None for example in examples)
    batch = tokenizer(texts, seconds if paired else None, truncation="longest_first", max_length=max_length)
    were_cut = _were_cut(batch, len(examples))
    return Encoded(
        input_ids=batch["input_ids"],
        labels=labels,
        token_type_ids=batch.get("token_type_ids"),
        truncated=sum(were_cut),
        were_cut=were_cut,
        objective=objective,
    )


def _between(tokenizer: Any) -> str:
    """A line break between the two texts for tokenizers (of decoders) that put no special token there."""
    single, pair = (tokenizer.num_special_tokens_to_add(pair=pair) for pair in (False, True))
    return "" if pair > single else "\n"


def _encode_words(
    examples: Sequence[Tokens], ids: dict[str, int], tokenizer: Any, max_length: int, repeated: bool
) -> Encoded:
    """The words are encoded as a running text, and sub-words come to words by their characters.

    So every tokenizer sees the spaces it was trained with, be they part of the sub-words (byte-level BPE,
    SentencePiece) or not, and a word without a sub-word shifts no other.
    """
    _check_known({tag for example in examples for tag in example.tags}, ids)
    texts = [" ".join(example.tokens) for example in examples]
    batch = tokenizer(texts, truncation=True, max_length=max_length)
    were_cut = _were_cut(batch, len(examples))
    labels: list[list[int]] = []
    places: list[list[int | None]] = []
    mentions_cut = 0
    for example, encoding in zip(examples, batch.encodings, strict=True):
        first: list[int | None] = [None] * len(example.tags)
        row = [IGNORED] * len(encoding.ids)
        for index, word in enumerate(_words(example.tokens, encoding)):
            if word is None:
                continue
            if first[word] is None:
                first[word] = index
            elif not repeated:
                continue
            row[index] = ids[example.tags[word]]
        labels.append(row)
        places.append(first)
        if encoding.overflowing:
            seen = max((word for word, index in enumerate(first) if index is not None), default=-1) + 1
            mentions_cut += mentions_beyond(example.tags, seen)
    return Encoded(
        input_ids=batch["input_ids"],
        labels=labels,
        token_type_ids=batch.get("token_type_ids"),
        truncated=sum(were_cut),
        were_cut=were_cut,
        mentions_cut=mentions_cut,
        tags=[list(example.tags) for example in examples],
        places=places,
        repeated=repeated,
    )


def _words(tokens: Sequence[str], encoding: Any) -> list[int | None]:
    """Return for each sub-word the first word that it shares a character with; None for special tokens and
    spaces."""
    ends = list(itertools.accumulate(len(token) + 1 for token in tokens))  # with the space after it
    word_of_piece: list[int | None] = []
    pieces = zip(encoding.tokens, encoding.offsets, encoding.sequence_ids, strict=True)
    for piece, (start, end), sequence in pieces:
        word = bisect_right(ends, start)
        if word < len(ends) and start == ends[word] - 1:  # it begins with the space before the next word
            word, start = word + 1, start + 1
        # SentencePiece sets a space before the text, which has the place of the first character.
        real = sequence is not None and start < end and piece != _SPACE
        word_of_piece.append(word if real and word < len(ends) else None)
    return word_of_piece


def predicted_values(encoded: Encoded, logits: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.float64]:
    """Return the predicted numbers, (examples,), in the unit of the target. `logits` in the order of the
    examples: [n, 1] or n arrays of [1]."""
    assert encoded.scale is not None
    above = np.stack(logits).astype(np.float64)[:, 0]
    values: NDArray[np.float64] = encoded.scale.mean + encoded.scale.deviation * above
    return values


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
        predicted.append(["O" if index is None else labels[int(best[index])] for index in places])
    return predicted


def decode_subwords(
    encoded: Encoded, logits: Sequence[NDArray[np.floating[Any]]], labels: Sequence[str]
) -> tuple[list[list[str]], list[list[str]]]:
    """Gold and predicted tags, one for each sub-word of a word that the model saw, of `repeated` tags.

    `logits` as in `decode_tags`. Words that were cut off are in neither list.
    """
    gold, predicted = [], []
    rows: Sequence[Any] = encoded.labels
    for row, scores in zip(rows, logits, strict=True):
        best = np.asarray(scores).argmax(axis=-1)
        kept = [index for index, label in enumerate(row) if label != IGNORED]
        gold.append([labels[row[index]] for index in kept])
        predicted.append([labels[int(best[index])] for index in kept])
    return gold, predicted


def _were_cut(batch: Any, examples: int) -> list[bool]:
    return [bool(batch.encodings[index].overflowing) for index in range(examples)]


def _check_known(tags: set[str], ids: dict[str, int]) -> None:
    if unknown := len(tags - ids.keys()):
        raise DataError(
            "the examples",
            None,
            f"{unknown} labels that the train part does not hold",
            "declare all of them under `labels` of the task, or correct the data",
        )
