"""Training in fp16, whose loss is scaled, here with torch's scaler for the CPU."""

from __future__ import annotations

import hashlib

import pytest
import torch
from accelerate.state import AcceleratorState
from stopped_attempts import run_until

from orchestrator.contracts.methods.low_rank import AdaLora
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import FailureKind, Phase, Precision, TaskKind
from orchestrator.errors import LaunchError
from workers.checkpoint import saved
from workers.distributed.sharding import make_accelerator, refuse_method
from workers.runtime.attempt import run_attempt
from workers.runtime.devices import set_up_devices


@pytest.fixture
def scaled_from(monkeypatch):
    """Attempts train in fp16 on the CPU, which accelerate refuses. Gives the scalers, by attempt."""
    scalers = []

    def begin(scale: float) -> list[torch.amp.GradScaler]:
        def settled(resources, wanted, *more, **options):
            if AcceleratorState._shared_state:  # that of the attempt before, in this process
                monkeypatch.setitem(AcceleratorState._shared_state, "_mixed_precision", "no")
            accelerator, device = set_up_devices(resources, "fp32", *more, **options)
            monkeypatch.setitem(AcceleratorState._shared_state, "_mixed_precision", "fp16")
            accelerator.native_amp = True
            accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=2)
            scalers.append(accelerator.scaler)
            return accelerator, device.model_copy(update={"precision": Precision.FP16})

        monkeypatch.setattr("workers.trial.set_up_devices", settled)
        return scalers

    return begin


def kept(order) -> str:
    [file] = (order.parent / "model").glob("*.safetensors")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_resumed_trial_scales_its_loss_as_if_it_had_never_stopped(lab, outcome_of, scaled_from):
    scalers = scaled_from(2.0**6)
    whole = lab.order(kind=TaskKind.NER, keep_weights="all")
    run_attempt(whole)
    broken = lab.order(kind=TaskKind.NER, keep_weights="all")
    run_until(broken, 5)
    [checkpoint] = saved(broken.parent / "checkpoint")
    resumed = lab.order(kind=TaskKind.NER, keep_weights="all", resume_from=str(checkpoint))
    run_attempt(resumed)
    assert outcome_of(resumed).state == "finished", outcome_of(resumed).failure
    first, second, third = (scaler.state_dict() for scaler in scalers)
    assert first["scale"] > second["scale"] > 2.0**6
    assert third == first
    assert kept(resumed) == kept(whole)
    assert outcome_of(resumed).device.precision is Precision.FP16


def test_steps_whose_gradients_overflow_are_passed_over(lab, outcome_of, scaled_from):
    scalers = scaled_from(2.0**40)
    order = lab.order(recipe={"epochs": 6})
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.state == "finished", outcome.failure
    assert outcome.steps == 36
    assert scalers[0].get_scale() < 2.0**40


def test_fp16_needs_a_gpu_that_holds_the_whole_model(lab, outcome_of):
    order = lab.order(recipe={"precision": "fp16"})
    run_attempt(order)
    failure = outcome_of(order).failure
    assert (failure.kind, failure.phase) == (FailureKind.BAD_INPUT, Phase.START)
    assert "recipe.precision fp16: expected a GPU that holds the whole model, got no GPU" in failure.message
    spread = Resources(gpus=2, cpus=2, processes=2, sharding="fsdp")
    with pytest.raises(LaunchError, match=r"got resources.sharding fsdp\n    -> set precision: fp32"):
        make_accelerator(spread, Precision.FP16, 1.0)


def test_adalora_refuses_fp16():
    with pytest.raises(LaunchError, match="adalora, as gradients that overflow would count"):
        refuse_method(AdaLora(rank=2), Resources(), Precision.FP16)
    refuse_method(AdaLora(rank=2), Resources(), Precision.BF16)
