"""Order and padding."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.batches import by_length, collate, epoch_batches
from workers.schedule import steps_of_an_epoch
from workers.tasks import IGNORED, Encoded

lengths = st.lists(st.integers(1, 50), min_size=1, max_size=200)


@given(lengths, st.integers(1, 17), st.integers(0, 9), st.integers(0, 9))
def test_an_epoch_holds_every_example_once_in_full_batches(lengths, size, seed, epoch):
    batches = epoch_batches(lengths, size, seed, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert sum(len(batch) < size for batch in batches) <= 1
    assert steps_of_an_epoch(len(lengths), size) == len(batches)


def test_the_order_is_a_function_of_seed_and_epoch():
    found = [tuple(map(tuple, epoch_batches([5] * 64, 8, s, e))) for s, e in [(1, 0), (1, 0), (1, 1), (2, 0)]]
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_examples_of_about_one_length_share_a_batch():
    many = [1 + (i * 37) % 100 for i in range(1000)]
    padded = sum(len(batch) * max(many[i] for i in batch) for batch in epoch_batches(many, 10, 0, 0))
    assert padded < 1.1 * sum(many)


@given(lengths, st.integers(1, 17))
def test_scoring_sees_every_example_once_longest_first(lengths, size):
    seen = [i for batch in by_length(lengths, size) for i in batch]
    assert sorted(seen) == list(range(len(lengths)))
    assert [lengths[i] for i in seen] == sorted(lengths, reverse=True)


def test_a_batch_is_padded_to_its_longest_and_no_further():
    data = Encoded(
        input_ids=[[2, 7, 3], [2, 7, 8, 9, 3], [2] * 20],
        labels=[[IGNORED, 1, IGNORED], [IGNORED, 0, 1, IGNORED, IGNORED], [IGNORED] * 20],
        token_type_ids=None,
        truncated=0,
    )
    inputs, labels = collate(data, [0, 1], 6, torch.device("cpu"))
    assert inputs["input_ids"].tolist() == [[2, 7, 3, 6, 6], [2, 7, 8, 9, 3]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert labels.tolist() == [[IGNORED, 1, IGNORED, IGNORED, IGNORED], [IGNORED, 0, 1, IGNORED, IGNORED]]
    assert "token_type_ids" not in inputs
