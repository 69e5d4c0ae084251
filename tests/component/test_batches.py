"""Order and padding."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from workers.batches import FlatSplit, by_length, collate, epoch_batches
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
def test_the_rows_of_a_batch_are_longest_first_so_that_its_passes_pad_less(lengths, size):
    for batch in epoch_batches(lengths, size, 0, 0):
        chosen = [lengths[i] for i in batch]
        assert chosen == sorted(chosen, reverse=True)


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


def padded(rows, length, value):
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])


examples = st.lists(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 1), st.integers(-1, 3)), min_size=1, max_size=9),
    min_size=1,
    max_size=12,
)


@given(examples, st.booleans(), st.booleans(), st.data())
def test_batches_gathered_on_the_device_are_those_padded_row_by_row(found, per_word, typed, drawn):
    ids, types = ([[token[k] for token in row] for row in found] for k in (0, 1))
    labels = [[IGNORED if label < 0 else label for _, _, label in row] for row in found]
    if not per_word:
        labels = [len(row) % 3 for row in found]
    data = Encoded(ids, labels, types if typed else None, truncated=0)
    flat = FlatSplit(data, 7, torch.device("cpu"))
    places = st.lists(st.integers(0, len(found) - 1), min_size=1, max_size=8)
    batches = drawn.draw(st.lists(places, min_size=1, max_size=3))
    for chosen, rows in zip(batches, flat.rows(batches), strict=True):
        batch, length = flat.batch(rows), max(len(ids[i]) for i in chosen)
        expected = {
            "input_ids": padded([ids[i] for i in chosen], length, 7),
            "attention_mask": padded([[1] * len(ids[i]) for i in chosen], length, 0),
        }
        if typed:
            expected["token_type_ids"] = padded([types[i] for i in chosen], length, 0)
        wanted = [labels[i] for i in chosen]
        expected["labels"] = padded(wanted, length, IGNORED) if per_word else torch.tensor(wanted)
        got = batch.inputs | {"labels": batch.labels}
        assert got.keys() == expected.keys()
        assert all(torch.equal(got[name], value) for name, value in expected.items())
        assert {value.dtype for value in got.values()} == {torch.int64}
        assert batch.padded == bool((expected["attention_mask"] == 0).any())
        mine = flat.batch(rows[0 :: len(chosen)])
        assert mine.inputs["input_ids"].tolist() == [ids[chosen[0]]]
    assert flat.lengths == [len(row) for row in ids]
    assert flat.targets == [sum(x != IGNORED for x in row) if per_word else 1 for row in labels]
