"""The process group that the ranks of an attempt meet in, as it is asked for on GPUs."""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist

from orchestrator.contracts import layout
from orchestrator.contracts.exit_codes import LOST_A_PEER
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from orchestrator.execution.attempt_end import close_attempt
from orchestrator.execution.exit_reasons import Ending
from workers import trial
from workers.distributed import ranks
from workers.distributed.ranks import join
from workers.runtime.attempt import run_attempt

TWO_GPUS = Resources(cpus=2, gpus=2, processes=2)


@pytest.fixture
def asked(monkeypatch):
    """Join as rank 1 of 2 without a GPU; what torch was asked for is collected here."""
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    for name in (*ranks._NCCL, "NCCL_DEBUG_FILE", "NCCL_DEBUG"):  # set by us: taken back after the test
        monkeypatch.setenv(name, "a user's own")
    monkeypatch.delenv("NCCL_DEBUG")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "1")
    found = {}
    monkeypatch.setattr(ranks, "_refuse_strangers", lambda rank, count: None)
    monkeypatch.setattr(ranks, "TCPStore", lambda *_, **__: "store")
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: found.update(device=device))
    monkeypatch.setattr(
        dist, "init_process_group", lambda backend, **options: found.update(options, backend=backend)
    )
    return found


def test_ranks_on_gpus_exchange_what_lies_on_the_cpu_as_well(asked, tmp_path):
    """Offloaded gradients do: without a backend for them the first step would fail."""
    join(TWO_GPUS, tmp_path)
    assert asked["backend"] == "cuda:nccl,cpu:gloo"


def test_ranks_name_their_gpu_before_anything_is_exchanged(asked, tmp_path):
    """Else torch guesses at the first exchange, and makes a context on the first GPU."""
    join(TWO_GPUS, tmp_path)
    assert asked["device_id"] == asked["device"] == torch.device("cuda", 1)


def test_ranks_wait_an_hour_for_one_that_writes_a_checkpoint(asked, tmp_path):
    join(TWO_GPUS, tmp_path)
    assert asked["timeout"] == timedelta(hours=1)
    assert os.environ["TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC"] == "3600"


def test_a_failed_exchange_ends_its_process_whatever_the_user_has_set(asked, tmp_path):
    """Else it would train on with what was never exchanged."""
    join(TWO_GPUS, tmp_path)
    assert os.environ["TORCH_NCCL_ASYNC_ERROR_HANDLING"] == "3"


@pytest.mark.parametrize(("wanted", "given"), [(None, "WARN"), ("INFO", "INFO")])
def test_nccl_warns_in_the_directory_of_the_attempt(asked, tmp_path, monkeypatch, wanted, given):
    if wanted:
        monkeypatch.setenv("NCCL_DEBUG", wanted)
    else:
        monkeypatch.delenv("NCCL_DEBUG", raising=False)
    join(TWO_GPUS, tmp_path)
    assert os.environ["NCCL_DEBUG_FILE"] == str(tmp_path / "nccl.rank-1.log")
    assert os.environ["NCCL_DEBUG"] == given


def test_ranks_on_cores_need_no_nccl(asked, tmp_path):
    join(Resources(cpus=2, processes=2), tmp_path)
    assert asked["backend"] == "gloo"
    assert "device_id" not in asked


NCCL_SAID = """NCCL error in: /pytorch/ProcessGroupNCCL.cpp:77, unhandled cuda error, NCCL version 2.29.7
ncclUnhandledCudaError: Call to CUDA function failed.
Last error:
Cuda failure 2 'out of memory'
Exception raised from create at NCCLUtils.cpp:37 (most recent call first):
frame #0: c10::Error::Error"""


def test_ranks_that_never_meet_end_in_the_words_of_nccl(asked, lab, monkeypatch):
    """No rank has another reason: the trial was not preempted, and trying it again would end the same way."""

    def fail(*_, **__):
        raise dist.DistBackendError(NCCL_SAID)

    monkeypatch.setattr(dist, "init_process_group", fail)
    monkeypatch.setattr(trial, "check_gpus", lambda resources: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    path = lab.order(resources=TWO_GPUS)
    for rank in ("1", "0"):
        monkeypatch.setenv("RANK", rank)
        assert run_attempt(path) == LOST_A_PEER
    assert not (path.parent / layout.OUTCOME).exists()
    order = AttemptOrder.model_validate_json(path.read_bytes())
    failure = close_attempt(order, Ending(LOST_A_PEER), now=order.ordered_at)[0].failure
    assert (failure.kind, failure.phase) == (FailureKind.BAD_INPUT, Phase.START)
    assert "Last error: Cuda failure 2 'out of memory'\n    -> read nccl.rank-1.log" in failure.message
    assert "frame #0" not in failure.message
