"""The program of a card takes the sub-words of a word that Frontier takes."""

from __future__ import annotations

import contextlib
import io
import re
from types import SimpleNamespace
from typing import Any

import torch
from exported_models import use_of
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace
from transformers import PreTrainedTokenizerFast

from orchestrator.contracts.exported import WeightsLayout
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.vocabulary import TaskKind
from workers.data.examples import Tokens
from workers.exported.snippet import usage_program
from workers.tasks import encode

_WORDS = ("No", "fever", "since", "Monday", ",", "and", "the", "cough", "is", "mild", ".")


def spaced_alone() -> Any:
    """Return a tokenizer whose pieces have the space before a word in a piece of its own."""
    pieces = [("<unk>", -20.0), ("\u2581", -1.0), *((word, -2.0) for word in _WORDS)]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=0))
    tokenizer.pre_tokenizer = Metaspace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<unk>")


def test_a_space_of_sentencepiece_is_the_first_piece_of_no_word() -> None:
    use, tokenizer = use_of("bert", Full(), TaskKind.NER), spaced_alone()
    use = use.model_copy(update={"max_length": 64})
    scope = {
        "re": re,
        "torch": torch,
        "tokenizer": tokenizer,
        "config": SimpleNamespace(id2label={n: str(n) for n in range(64)}),
        # The tag of a piece is its place.
        "model": lambda input_ids, **_: SimpleNamespace(logits=torch.eye(64)[: input_ids.shape[1]][None]),
    }
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(usage_program(use, WeightsLayout.WHOLE, has_base=False).answer, scope)
    shown = [line.split() for line in printed.getvalue().splitlines()]
    tags = (use.labels[0],) * len(_WORDS)
    encoded = encode(TaskKind.NER, [Tokens(_WORDS, tags, "")], use.labels, tokenizer, use.max_length)
    assert shown == [[word, str(first)] for word, first in zip(_WORDS, encoded.places[0], strict=True)]
    assert tokenizer.convert_ids_to_tokens(encoded.input_ids[0])[:2] == ["\u2581", "No"]
