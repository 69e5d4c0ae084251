"""Attempts over several GPUs: NCCL, and what is shared out over it."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec

import pytest
from running_attempts import Started, ranks_of

from orchestrator.contracts.resources import Resources

needs_deepspeed = pytest.mark.skipif(find_spec("deepspeed") is None, reason="deepspeed is not installed")
KINDS = ["none", *(pytest.param(f"zero{n}", marks=needs_deepspeed) for n in (1, 2, 3)), "fsdp"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_gpus_learn_as_one_does(host, lab, still, outcome_of, events_of, several_gpus, kind, method):
    several = Resources(cpus=several_gpus, gpus=several_gpus, processes=several_gpus, sharding=kind)
    curves = []
    for resources in (Resources(gpus=1), several):
        recipe = {"evaluations_per_epoch": 6, "precision": "fp32"}
        order = lab.order(method, recipe=recipe, backbone=still, resources=resources)
        assert host.run(order) == 0
        outcome = outcome_of(order)
        assert outcome.state == "finished", outcome.failure
        curves.append([event.loss for event in events_of(order) if event.event == "step"])
    assert outcome.device.count == several_gpus
    assert curves[1] == pytest.approx(curves[0], rel=1e-2)


def test_offload_keeps_what_is_shared_in_host_memory(host, lab, still, outcome_of, several_gpus):
    given = {"cpus": several_gpus, "gpus": several_gpus, "processes": several_gpus, "sharding": "fsdp"}
    peaks = []
    for offload in (False, True):
        order = lab.order("full", backbone=still, resources=Resources(**given, offload=offload))
        assert host.run(order) == 0
        assert outcome_of(order).state == "finished", outcome_of(order).failure
        peaks.append(outcome_of(order).peak_device_memory_bytes)
    assert peaks[1] < peaks[0]


def test_a_rank_that_is_killed_takes_the_others_along(host, lab, several_gpus):
    resources = Resources(cpus=several_gpus, gpus=several_gpus, processes=several_gpus)
    started = Started(host, lab.order(recipe={"epochs": 5000}, resources=resources))
    os.kill(ranks_of(host)[1], signal.SIGKILL)
    assert started.code() == -signal.SIGKILL
    assert ranks_of(host) == []
