"""Order, padding, schedule."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.trial import Recipe
from workers.batches import by_length, collate, epoch_batches
from workers.schedule import evaluation_places, learning_rate, planned_steps
from workers.tasks import IGNORED, Encoded

lengths = st.lists(st.integers(1, 50), min_size=1, max_size=200)


@given(lengths, st.integers(1, 17), st.integers(0, 9), st.integers(0, 9))
def test_an_epoch_holds_every_example_once_in_full_batches(lengths, size, seed, epoch):
    batches = epoch_batches(lengths, size, seed, epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    assert sum(len(batch) < size for batch in batches) <= 1
    per_epoch, planned = planned_steps(Recipe(learning_rate=1, batch_size=size, epochs=3), len(lengths))
    assert (per_epoch, planned) == (len(batches), 3 * len(batches))


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


def test_the_rate_is_that_of_the_customary_schedule():
    from transformers import get_linear_schedule_with_warmup

    recipe = Recipe(learning_rate=0.5, warmup_ratio=0.2)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    theirs = get_linear_schedule_with_warmup(optimiser, 4, 20)
    for step in range(20):
        assert learning_rate(step, 20, recipe) == pytest.approx(theirs.get_last_lr()[0])
        optimiser.step()
        theirs.step()


@given(st.integers(1, 500), st.integers(1, 20))
def test_evaluations_are_spread_and_end_with_the_epoch(steps, wanted):
    places = sorted(evaluation_places(steps, wanted))
    assert places[-1] == steps
    assert places[0] >= 1
    assert len(places) == min(steps, wanted)
