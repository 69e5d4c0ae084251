"""Optimisers, gradients and weights that are shared out: DeepSpeed where it is installed, fully_shard."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest
from running_attempts import Started
from safetensors.torch import load_file

from orchestrator.contracts.layout import CHECKPOINTS
from orchestrator.contracts.methods.virtual_tokens import Prompt
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import FailureKind, Precision
from orchestrator.errors import LaunchError
from workers.checkpoint import saved
from workers.distributed.sharding import refuse_method

needs_deepspeed = pytest.mark.skipif(find_spec("deepspeed") is None, reason="deepspeed is not installed")
KINDS = [*(pytest.param(f"zero{n}", marks=needs_deepspeed) for n in (1, 2, 3)), "fsdp"]


def shared(kind: str) -> Resources:
    return Resources(cpus=2, processes=2, sharding=kind)


def curve(events) -> list[float]:
    return [event.loss for event in events if event.event == "step"]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """What one process found, by method: the same beside each kind of shares."""
    return {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_shares_learn_as_one_process_does(host, lab, still, outcome_of, events_of, alone, kind, method):
    def trained(resources: Resources) -> tuple[list[float], Any, dict[str, Any]]:
        order = lab.order(
            method,
            recipe={"evaluations_per_epoch": 6},
            backbone=still,
            resources=resources,
            micro_batch_size=2,
            keep_weights="all",
        )
        assert host.run(order) == 0
        outcome = outcome_of(order)
        assert outcome.state == "finished", outcome.failure
        [file] = (order.parent / "model").glob("*.safetensors")
        return curve(events_of(order)), outcome.test, load_file(file)

    if method not in alone:
        alone[method] = trained(Resources())
    one, scores, weights = alone[method]
    several, shared_scores, shared_weights = trained(shared(kind))
    assert several == pytest.approx(one, rel=1e-3)
    for name, metric in scores.items():
        assert shared_scores[name].value == pytest.approx(metric.value, rel=1e-2, abs=1e-6)
    assert shared_weights.keys() == weights.keys()
    assert all(shared_weights[name].shape == value.shape for name, value in weights.items())


@pytest.mark.parametrize("kind", [KINDS[1], KINDS[2], KINDS[3]])
def test_a_stopped_attempt_goes_on_as_if_it_had_not(host, lab, still, outcome_of, kind):
    recipe = {"epochs": 8}  # far from its end when it is stopped
    whole = lab.order("lora", recipe=recipe, backbone=still, resources=shared(kind))
    assert host.run(whole) == 0
    broken = lab.order("lora", recipe=recipe, backbone=still, resources=shared(kind))
    started = Started(host, broken)
    host.interrupt(grace_seconds=60)
    assert started.code() == 0
    assert outcome_of(broken).failure.kind is FailureKind.PREEMPTED
    [checkpoint] = saved(broken.parent / CHECKPOINTS)
    resumed = lab.order(
        "lora", recipe=recipe, backbone=still, resources=shared(kind), resume_from=str(checkpoint)
    )
    assert host.run(resumed) == 0
    expected, got = outcome_of(whole), outcome_of(resumed)
    assert got.resumed_from_step == outcome_of(broken).steps
    for name, metric in expected.test.items():
        assert got.test[name].value == pytest.approx(metric.value, rel=1e-4)


def test_a_checkpoint_of_other_shares_is_not_taken(host, lab, outcome_of):
    broken = lab.order("lora", recipe={"epochs": 5000}, resources=shared("fsdp"))
    started = Started(host, broken)
    host.interrupt(grace_seconds=60)
    assert started.code() == 0
    [checkpoint] = saved(broken.parent / CHECKPOINTS)
    order = lab.order("lora", resources=Resources(cpus=2, processes=2), resume_from=str(checkpoint))
    assert host.run(order) == 0
    assert outcome_of(order).state == "finished"
    assert outcome_of(order).resumed_from_step is None


def test_virtual_tokens_are_refused_where_weights_are_shared_out():
    """They are kept as their encoder makes them: a trained one would fail at its end."""
    virtual = Prompt(virtual_tokens=3)
    refuse_method(virtual, shared("zero2"), Precision.FP32)
    for kind in ("fsdp", "zero3"):
        with pytest.raises(LaunchError, match="virtual tokens"):
            refuse_method(virtual, shared(kind), Precision.FP32)


def test_adalora_is_refused_where_gradients_are_shared_out(host, lab, outcome_of):
    order = lab.order("adalora", resources=shared("fsdp"))
    assert host.run(order) == 0
    failure = outcome_of(order).failure
    assert failure.kind is FailureKind.BAD_INPUT
    assert "adalora" in failure.message
