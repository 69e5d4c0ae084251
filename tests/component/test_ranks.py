"""Attempts of several processes: the same steps as one, one outcome, and they end together."""

from __future__ import annotations

import os
import signal

import pytest
from running_attempts import Started, ranks_of

from orchestrator.contracts.layout import CHECKPOINTS
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import FailureKind, Phase, TaskKind
from workers.checkpoint import saved


def spread(ranks: int, **fields) -> Resources:
    return Resources(cpus=ranks, processes=ranks, **fields)


def curve(events) -> list[float]:
    return [event.loss for event in events if event.event == "step"]


# 42 examples in batches of 8: the last one has 2, fewer than 4 ranks.
@pytest.mark.parametrize("method", ["full", "lora", "adalora"])
@pytest.mark.parametrize("kind", [TaskKind.NER, TaskKind.CLASSIFICATION])
def test_ranks_learn_and_score_as_one_process_does(host, lab, still, outcome_of, events_of, method, kind):
    found = []
    for ranks, micro in (
        ((1, None), (2, None), (2, 2), (4, None)) if method == "lora" else ((1, None), (2, 2))
    ):
        recipe = {"evaluations_per_epoch": 6}  # the loss is written down at each
        order = lab.order(
            method, kind, recipe=recipe, backbone=still, resources=spread(ranks), micro_batch_size=micro
        )
        assert host.run(order) == 0
        outcome = outcome_of(order)
        assert outcome.state == "finished", outcome.failure
        assert outcome.device.count == ranks
        assert outcome.micro_batch_size == (8 // ranks if micro is None else micro)
        assert outcome.device.spread == ("" if ranks == 1 else f"{ranks} processes")
        found.append((curve(events_of(order)), outcome))
    (one, alone), *others = found
    assert len(one) == 12
    for several, outcome in others:
        assert several == pytest.approx(one, rel=2e-4)
        assert outcome.train_tokens == alone.train_tokens
        if outcome.device.count == 2:  # of 4 ranks two are idle in the last batch, and repeat an example
            assert outcome.work[Phase.TRAIN].tokens == alone.work[Phase.TRAIN].tokens == alone.train_tokens
            assert outcome.work[Phase.TEST].tokens >= alone.work[Phase.TEST].tokens
            assert outcome.peak_host_memory_bytes > alone.peak_host_memory_bytes
        assert outcome.test.keys() == alone.test.keys()
        for name, metric in alone.test.items():
            assert outcome.test[name].value == pytest.approx(metric.value, rel=1e-3, abs=1e-6)


def test_gradient_checkpointing_changes_no_loss(host, lab, outcome_of, events_of):
    for method in ("full", "lora"):
        curves = []
        for checkpointed in (False, True):
            resources = Resources(gradient_checkpointing=checkpointed)
            order = lab.order(method, recipe={"evaluations_per_epoch": 6}, resources=resources)
            assert host.run(order) == 0
            assert outcome_of(order).state == "finished", outcome_of(order).failure
            curves.append(curve(events_of(order)))
        assert curves[1] == pytest.approx(curves[0], rel=1e-5)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_rank_that_is_killed_takes_the_others_along(host, lab, victim):
    order = lab.order(recipe={"epochs": 5000}, resources=spread(2))
    started = Started(host, order)
    ranks = ranks_of(host)
    assert len(ranks) == 2
    os.kill(ranks[victim], signal.SIGKILL)
    assert started.code() == -signal.SIGKILL
    assert ranks_of(host) == []
    assert not (order.parent / "outcome.json").exists()


def test_a_rank_that_crashes_alone_ends_the_attempt(host, lab):
    """Rank 1 cannot write its crash log, as that is a directory."""
    order = lab.order(resources=spread(2))
    (order.parent / "crash.rank-1.log").mkdir()
    assert host.run(order) == 1
    assert not (order.parent / "outcome.json").exists()


def test_wrong_input_is_one_outcome(host, lab, outcome_of):
    (lab.data / "train.jsonl").unlink()
    order = lab.order(resources=spread(2))
    assert host.run(order) == 0
    assert outcome_of(order).failure.kind is FailureKind.BAD_INPUT
    assert ranks_of(host) == []


def test_all_ranks_stop_at_one_step_and_go_on_from_there(host, lab, outcome_of, events_of):
    """SIGTERM reaches one rank only; with dropout, so that every rank needs its own random state back."""
    recipe = {"epochs": 24}  # far from its end when it is stopped
    whole = lab.order("lora", recipe=recipe, resources=spread(2), keep_weights="all")
    assert host.run(whole) == 0
    broken = lab.order("lora", recipe=recipe, resources=spread(2))
    started = Started(host, broken)
    os.kill(ranks_of(host)[1], signal.SIGTERM)
    assert started.code() == 0
    stopped = outcome_of(broken)
    assert stopped.failure.kind is FailureKind.PREEMPTED
    [checkpoint] = saved(broken.parent / CHECKPOINTS)
    assert checkpoint.name == f"step-{stopped.steps}"
    resumed = lab.order("lora", recipe=recipe, resources=spread(2), resume_from=str(checkpoint))
    assert host.run(resumed) == 0
    expected, got = outcome_of(whole), outcome_of(resumed)
    assert got.resumed_from_step == stopped.steps
    assert got.test == expected.test
    assert got.dev == expected.dev


def test_an_interrupt_with_grace_reaches_all_ranks(host, lab, outcome_of):
    order = lab.order(recipe={"epochs": 5000}, resources=spread(2))
    started = Started(host, order)
    host.interrupt(grace_seconds=60)
    assert started.code() == 0
    assert outcome_of(order).failure.kind is FailureKind.PREEMPTED
