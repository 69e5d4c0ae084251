"""Encoding examples with a small real tokenizer, and the way back to tags."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import DataError, WeightsError
from workers.data import Text, Tokens
from workers.tasks import IGNORED, decode_tags, encode

LABELS = ("O", "B-x", "I-x")
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##b", "c", "d")
INPUTS = ["input_ids", "token_type_ids", "attention_mask"]
EXAMPLES = [
    Tokens(("abb", "c", "d"), ("B-x", "I-x", "O"), "1"),
    Tokens(("c", "\u200b", "d"), ("O", "B-x", "B-x"), "2"),
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Cuts "abb" into a ##b ##b, and makes nothing of a zero-width space."""
    vocabulary = {token: index for index, token in enumerate(VOCABULARY)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", model_input_names=INPUTS
    )


def test_only_the_first_sub_word_of_a_word_carries_its_label(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = encode(TaskKind.NER, EXAMPLES, LABELS, tokenizer, 16)
    assert [tokenizer.convert_ids_to_tokens(ids) for ids in encoded.input_ids] == [
        ["[CLS]", "a", "##b", "##b", "c", "d", "[SEP]"],
        ["[CLS]", "c", "d", "[SEP]"],
    ]
    assert encoded.labels == [[IGNORED, 1, IGNORED, IGNORED, 2, 0, IGNORED], [IGNORED, 0, 1, IGNORED]]
    assert encoded.tags == [["B-x", "I-x", "O"], ["O", "B-x", "B-x"]]
    assert (encoded.truncated, len(encoded)) == (0, 2)


def logits(encoded_labels: list[list[int]], width: int) -> np.ndarray:
    """The gold class at each labelled sub-word, I-x at all others and in the padding."""
    scores = np.zeros((len(encoded_labels), width, len(LABELS)))
    scores[..., 2] = 1
    for row, labels in enumerate(encoded_labels):
        for place, label in enumerate(labels):
            if label != IGNORED:
                scores[row, place, label] = 2
    return scores


def test_right_logits_give_the_gold_tags_but_for_words_that_were_not_seen(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    encoded = encode(TaskKind.NER, EXAMPLES, LABELS, tokenizer, 16)
    scores = logits(encoded.labels, 9)  # type: ignore[arg-type]
    assert decode_tags(encoded, scores, LABELS) == [["B-x", "I-x", "O"], ["O", "O", "B-x"]]
    ragged = [row[: len(ids)] for row, ids in zip(scores, encoded.input_ids, strict=True)]
    assert decode_tags(encoded, ragged, LABELS) == decode_tags(encoded, scores, LABELS)


def test_words_that_were_cut_off_count_as_not_found(tokenizer: PreTrainedTokenizerFast) -> None:
    encoded = encode(TaskKind.NER, EXAMPLES, LABELS, tokenizer, 5)
    assert max(map(len, encoded.input_ids)) == 5
    assert encoded.truncated == 1
    scores = logits(encoded.labels, 5)  # type: ignore[arg-type]
    assert decode_tags(encoded, scores, LABELS)[0] == ["B-x", "O", "O"]
    assert encoded.tags[0] == ["B-x", "I-x", "O"]


def test_texts_and_pairs_carry_one_label_each(tokenizer: PreTrainedTokenizerFast) -> None:
    single = encode(TaskKind.CLASSIFICATION, [Text("a c d", None, "y", "1")], ("x", "y"), tokenizer, 4)
    assert (single.input_ids, single.labels, single.truncated) == ([[2, 4, 6, 3]], [1], 1)
    pair = encode(TaskKind.CLASSIFICATION, [Text("a", "c d", "x", "1")], ("x", "y"), tokenizer, 16)
    assert (pair.input_ids, pair.labels, pair.truncated) == ([[2, 4, 3, 6, 7, 3]], [0], 0)
    assert pair.token_type_ids == [[0, 0, 0, 1, 1, 1]]


def test_a_label_that_train_lacks_is_a_data_error_that_does_not_quote_it(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    with pytest.raises(DataError) as caught:
        encode(TaskKind.CLASSIFICATION, [Text("a", None, "Zzpatientword", "1")], ("x",), tokenizer, 16)
    assert "Zzpatientword" not in str(caught.value)


def test_a_tokenizer_without_word_places_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(WeightsError, match="Slow is not a fast tokenizer"):
        encode(TaskKind.NER, EXAMPLES, LABELS, Slow(), 16)
