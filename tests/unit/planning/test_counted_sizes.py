"""Sizes of a task that its entry does not state, from what workers have counted."""

from __future__ import annotations

from ledger_builder import task

from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.token_counts import TokenCounts
from orchestrator.contracts.vocabulary import Split
from orchestrator.planning.workload import with_counted_size

COUNTS = {64: {Split.TRAIN: SplitCounts(examples=52, mean_words=10)}}
TOKENS = TokenCounts(examples=50, mean=30.4, read={64: 20.5})


def test_tokens_are_guessed_by_the_words_until_a_tokenizer_has_counted_them() -> None:
    unknown = task("mine").model_copy(update={"train_examples": None, "mean_tokens": None})
    guessed = with_counted_size(unknown, COUNTS)
    assert (guessed.train_examples, guessed.mean_tokens) == (52, 14)
    counted = with_counted_size(unknown, COUNTS, TOKENS)
    assert (counted.train_examples, counted.mean_tokens) == (52, 31)
    assert with_counted_size(unknown, COUNTS, TOKENS, 64).mean_tokens == 21
    assert with_counted_size(unknown, COUNTS, TOKENS, 32).mean_tokens == 31


def test_what_an_entry_states_counts() -> None:
    stated = task("mine").model_copy(update={"train_examples": 7, "mean_tokens": 9})
    counted = with_counted_size(stated, COUNTS, TOKENS)
    assert (counted.train_examples, counted.mean_tokens) == (7, 9)
