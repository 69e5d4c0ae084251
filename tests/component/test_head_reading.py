"""What a head reads of its backbone is found on a few texts. One that reads anything else gets texts."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from short_texts import data_of, one_length, order
from tiny_models import adapted_tiny

from orchestrator.contracts.methods.weights import HeadOnly
from orchestrator.contracts.vocabulary import TaskKind
from workers.batches import FlatSplit
from workers.frozen import splits_on_device

CPU = torch.device("cpu")


def pooled_by(adapted: Any, pool: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Let the head read what `pool` makes of all states, padding or not."""
    backbone, head = adapted.model.bert, adapted.model.classifier

    def forward(input_ids: Any = None, attention_mask: Any = None, **inputs: Any) -> Any:
        states = backbone(input_ids, attention_mask=attention_mask, **inputs).last_hidden_state
        return SimpleNamespace(logits=head(pool(states)))

    adapted.model.forward = forward


@pytest.mark.parametrize("scored", [1, 2, 8])
@pytest.mark.parametrize("alike", [False, True], ids=["several lengths", "one length"])
@pytest.mark.parametrize(
    "pool",
    [
        lambda states: states[:, -1],  # XLNet's summary
        lambda states: states[:, 0] + states[:, -1],
        lambda states: states.mean(dim=1),
        lambda states: states.max(dim=1).values,
    ],
    ids=["last", "first and last", "mean", "max"],
)
def test_a_head_that_reads_padding_gets_the_text(pool, alike, scored):
    adapted, data, small = adapted_tiny("bert", HeadOnly(), seed=3), data_of(TaskKind.CLASSIFICATION), order()
    pooled_by(adapted, pool)
    small.evaluation_size = scored
    if alike:
        data.train = one_length(22, 0)
    assert [type(part) for part in splits_on_device(adapted, data, small, CPU)] == [FlatSplit, FlatSplit]
    assert adapted.model.bert.forward.__self__ is adapted.model.bert, "the backbone is as it was"


@pytest.mark.parametrize("scored", [1, 2, 8])
def test_what_a_head_reads_is_found_on_few_texts_of_one_length(scored):
    adapted, data, small = adapted_tiny("bert", HeadOnly(), seed=3), data_of(TaskKind.CLASSIFICATION), order()
    data.train, small.evaluation_size = one_length(22, 0), scored
    assert splits_on_device(adapted, data, small, CPU)[0]._kept.one.__name__ == "_first"


@pytest.mark.parametrize(
    "learned",
    [lambda value: 0 * value, lambda value: value + 1e5, lambda value: value + torch.nan],
    ids=["zero", "huge", "nan"],
)
@pytest.mark.parametrize(("architecture", "read"), [("bert", "_first"), ("llama", "_last")])
def test_what_a_head_has_learned_decides_nothing(architecture, read, learned):
    """So an attempt that resumes keeps what the first one kept. The head's weights stay, and nothing is
    drawn."""
    adapted = adapted_tiny(architecture, HeadOnly(), seed=3)
    for parameter in (trained := [p for p in adapted.model.parameters() if p.requires_grad]):
        parameter.data = learned(parameter.data)
    before, random = [p.detach().clone() for p in trained], torch.get_rng_state()
    training = splits_on_device(adapted, data_of(TaskKind.CLASSIFICATION), order(), CPU)[0]
    assert training._kept.one.__name__ == read
    for parameter, value in zip(trained, before, strict=True):
        torch.testing.assert_close(parameter.detach(), value, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, torch.AcceleratorError])
def test_a_device_that_fails_is_no_head_that_reads_something_else(error):
    adapted = adapted_tiny("bert", HeadOnly())

    passes = []

    def fail(*_: Any) -> None:
        passes.append(1)
        if len(passes) > 1:  # the first answers to texts
            raise error("planted")

    adapted.model.classifier.register_forward_hook(fail)
    with pytest.raises(error, match="planted"):
        splits_on_device(adapted, data_of(TaskKind.CLASSIFICATION), order(), CPU)


def test_a_head_that_reads_something_else_gets_the_text():
    adapted = adapted_tiny("bert", HeadOnly())
    seen = []
    adapted.model.register_forward_pre_hook(
        lambda model, args, inputs: seen.append(inputs["input_ids"].sum()), with_kwargs=True
    )
    adapted.model.dropout.register_forward_hook(lambda *passed: passed[-1] * seen[-1])
    assert type(splits_on_device(adapted, data_of(TaskKind.CLASSIFICATION), order(), CPU)[0]) is FlatSplit
