"""Words and pairs through tokenizers of every kind that the catalogue's backbones have."""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score as seqeval_f1
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.vocabulary import TaskKind
from workers.data import Text, Tokens
from workers.metrics import mentions_of_subwords, mentions_of_words, score_mentions, score_subwords
from workers.tasks import IGNORED, Encoded, decode_subwords, decode_tags, encode

SPECIAL = ["<s>", "</s>", "<pad>", "<unk>"]
# Every word of these tests is one letter again and again: a sub-word tells which word it came from.
CORPUS = [" ".join(letter * size for letter in string.ascii_lowercase) for size in (1, 2, 3, 4, 6)]
TYPES = [f"B-{letter}" for letter in string.ascii_lowercase]


def wrapped(made: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def byte_level(made: Tokenizer, *, prefix: bool) -> Tokenizer:
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    return made


def roberta(*, prefix: bool) -> Tokenizer:
    made = byte_level(Tokenizer(models.BPE()), prefix=prefix)
    made.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), add_prefix_space=prefix)
    return made


def llama_3() -> Tokenizer:
    """As ModernBERT, too: byte-level, offsets not trimmed, a template for the special tokens."""
    made = byte_level(Tokenizer(models.BPE()), prefix=False)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 0)]
    )
    return made


def llama_2() -> Tokenizer:
    """Spaces become part of the text before it is cut, and nothing but merges cuts it."""
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=SPECIAL,
        initial_alphabet=[*string.ascii_lowercase, "▁"],
        show_progress=False,
    )
    made.train_from_iterator(CORPUS, trainer)
    made.pre_tokenizer = None
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return made


def deberta() -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return made


def qwen() -> Tokenizer:
    """No special tokens at all."""
    made = byte_level(Tokenizer(models.BPE()), prefix=False)
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return made


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "roberta": lambda: roberta(prefix=False),
    "roberta with prefix": lambda: roberta(prefix=True),
    "llama-3": llama_3,
    "llama-2": llama_2,
    "deberta": deberta,
    "qwen": qwen,
}


@cache
def tokenizer(kind: str) -> PreTrainedTokenizerFast:
    return wrapped(KINDS[kind]())


def labelled(kind: str, encoded: Encoded, labels: list[str]) -> list[tuple[str, str]]:
    """The text of each sub-word that has a label, without marks of spaces, and the label's type."""
    made, row = tokenizer(kind), encoded.labels[0]
    assert isinstance(row, list)
    pieces = made.convert_ids_to_tokens(encoded.input_ids[0])
    return [
        (piece.strip("▁Ġ"), labels[label][2:])
        for piece, label in zip(pieces, row, strict=True)
        if label != IGNORED
    ]


WORDS = st.lists(st.integers(1, 9), min_size=1, max_size=12)
KIND = st.sampled_from(sorted(KINDS))


@given(KIND, WORDS, st.booleans())
def test_labels_stand_on_the_sub_words_of_their_own_word(kind: str, sizes: list[int], repeated: bool) -> None:
    words = [letter * size for letter, size in zip(string.ascii_lowercase, sizes, strict=False)]
    sentence = Tokens(tuple(words), tuple(TYPES[: len(words)]), "1")
    encoded = encode(TaskKind.NER, [sentence], TYPES, tokenizer(kind), 512, repeated=repeated)
    found = labelled(kind, encoded, TYPES)
    assert all(set(piece) == {letter} for piece, letter in found)
    if repeated:
        assert "".join(piece for piece, _ in found) == "".join(words)
    else:
        assert [letter for _, letter in found] == [word[0] for word in words]


@given(
    KIND, st.lists(st.text(min_size=1, max_size=6).filter(lambda s: bool(s.strip())), min_size=1, max_size=8)
)
def test_any_words_can_be_encoded_and_read_back(kind: str, words: list[str]) -> None:
    words = [word.encode("utf-8", "replace").decode() for word in words]
    tags = ["B-x" if number % 2 else "O" for number in range(len(words))]
    encoded = encode(
        TaskKind.NER, [Tokens(tuple(words), tuple(tags), "1")], ("O", "B-x"), tokenizer(kind), 512
    )
    row = encoded.labels[0]
    assert isinstance(row, list)
    scores = np.eye(2)[[max(label, 0) for label in row]] if row else np.zeros((0, 2))
    seen = [tag if place is not None else "O" for tag, place in zip(tags, encoded.places[0], strict=True)]
    assert decode_tags(encoded, [scores], ("O", "B-x")) == [seen]
    places = [place for place in encoded.places[0] if place is not None]
    assert places == sorted(set(places))


def test_a_word_without_a_sub_word_shifts_no_label() -> None:
    made = tokenizer("llama-2")
    made.backend_tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace("\u200b", ""), *([made.backend_tokenizer.normalizer])]
    )
    sentence = Tokens(("aaa", "\u200b", "bbb"), ("B-a", "B-z", "B-b"), "1")
    encoded = encode(TaskKind.NER, [sentence], TYPES, made, 512)
    assert [letter for _, letter in labelled("llama-2", encoded, TYPES)] == ["a", "b"]
    assert encoded.places[0][1] is None
    tokenizer.cache_clear()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_both_texts_of_a_pair_survive_truncation_and_stay_apart(kind: str) -> None:
    made: Any = tokenizer(kind)
    pair = Text("a " * 60, "b " * 40, "y", "1")
    encoded = encode(TaskKind.CLASSIFICATION, [pair], ("x", "y"), made, 24)
    pieces = "".join(made.convert_ids_to_tokens(encoded.input_ids[0]))
    assert len(encoded.input_ids[0]) == 24
    assert encoded.truncated == 1
    assert pieces.count("a") >= 5
    assert pieces.count("b") >= 5
    apart = encode(TaskKind.CLASSIFICATION, [Text("aa", "aa", "y", "1")], ("x", "y"), made, 24)
    joined = encode(TaskKind.CLASSIFICATION, [Text("aaaa", None, "y", "1")], ("x", "y"), made, 24)
    assert apart.input_ids != joined.input_ids


def test_the_study_counts_two_entities_where_we_count_one() -> None:
    """One word of several sub-words: its B- on each of them makes entities that no text holds."""
    labels = ("O", "B-x", "I-x")
    made = tokenizer("deberta")
    sentence = Tokens(("aaaaaaaaa", "b"), ("B-x", "O"), "1")
    encoded = encode(TaskKind.NER, [sentence], labels, made, 64, repeated=True)
    row = encoded.labels[0]
    assert isinstance(row, list)
    pieces = row.count(1)
    assert pieces >= 2
    # The model tags the first sub-word alone.
    scores = np.zeros((len(row), 3))
    scores[:, 0] = 1
    scores[row.index(1), 1] = 2
    gold, predicted = decode_subwords(encoded, [scores], labels)
    assert gold == [["B-x"] * pieces + ["O"]]
    theirs = score_subwords(mentions_of_subwords(gold, predicted))[MetricName.SUBWORD_F1].value
    assert theirs == pytest.approx(2 / (1 + pieces))
    of_words = mentions_of_words(encoded.tags, decode_tags(encoded, [scores], labels))
    assert score_mentions(of_words)[MetricName.ENTITY_F1].value == 1


TAGS = st.lists(st.sampled_from(["O", "B-x", "I-x", "B-y", "I-y"]), min_size=1, max_size=8)


@given(st.lists(TAGS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_sub_word_f1_is_that_of_seqeval_without_a_scheme(gold: list[list[str]], source: Any) -> None:
    predicted = [[source.choice(["O", "B-x", "I-x", tag]) for tag in tags] for tags in gold]
    found = score_subwords(mentions_of_subwords(gold, predicted))[MetricName.SUBWORD_F1]
    assert (found.value or 0) == pytest.approx(seqeval_f1(gold, predicted, zero_division=0))
