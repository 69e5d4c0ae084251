"""What is wrong with a GPU is said in words, before anything is spent on it. No GPU is needed here: torch and
the driver's library are told what to answer."""

from __future__ import annotations

import socket
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fake_nvml import FakeGpu, install

from orchestrator.config.catalogue import load_catalogue
from orchestrator.contracts.device import GIB
from orchestrator.contracts.gpus import visible_gpus
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase, Source
from orchestrator.errors import LaunchError
from orchestrator.execution.devices import gpu_name
from workers import train
from workers.metering.energy import gpu_energy
from workers.metering.passes import Passes
from workers.runtime.attempt import run_attempt, settle_environment
from workers.runtime.failures import classify
from workers.runtime.gpus import DeviceFaultError, check_gpus, limit_memory, runs_on, settle_arithmetic

# torch._C._cuda_getArchFlags() of the wheel that constraints.txt pins, CUDA 13.0.
WHEEL = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
A10G = FakeGpu("GPU-a", "NVIDIA A10G", (8, 6))
L4 = FakeGpu("GPU-b", "NVIDIA L4", (8, 9))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make torch one that is built for CUDA 13.0, on a machine with these GPUs."""

    def make(*gpus: FakeGpu, seen: int | None = None, **driver: Any) -> None:
        install(monkeypatch, gpus, **driver)
        monkeypatch.setattr(torch.version, "cuda", "13.0")
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus) if seen is None else seen)
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: WHEEL)

    return make


def test_a_gpu_that_torch_has_code_for_is_taken(machine):
    machine(A10G, L4)
    check_gpus(Resources(gpus=2, cpus=2, processes=2))
    check_gpus(Resources(gpus=0.5))


def test_without_a_gpu_nothing_is_asked(machine):
    machine()
    check_gpus(Resources())


def test_a_gpu_without_code_is_refused_by_its_capability(machine):
    machine(FakeGpu("GPU-v", "Tesla V100-SXM2-16GB", (7, 0)))
    with pytest.raises(DeviceFaultError, match=r"V100.* has compute capability 7\.0, and torch .* sm_75"):
        check_gpus(Resources(gpus=1))


def test_a_driver_that_is_too_old_is_refused_with_both_versions(machine):
    machine(A10G, driver="550.54.15", cuda=12040)
    with pytest.raises(DeviceFaultError, match=r"550\.54\.15 supports CUDA 12\.4, and torch .* CUDA 13\.0"):
        check_gpus(Resources(gpus=1))


def test_no_driver_at_all_is_refused(machine):
    machine()
    with pytest.raises(DeviceFaultError, match="expected 1 GPU, and torch sees 0"):
        check_gpus(Resources(gpus=1))


def test_a_container_without_the_library_of_the_driver_is_taken_at_the_word_of_torch(machine):
    machine(seen=1)
    check_gpus(Resources(gpus=1))


def test_fewer_gpus_than_processes_are_refused_before_one_is_taken(machine, monkeypatch):
    machine(A10G, L4, seen=1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(DeviceFaultError, match=r"expected 2 GPUs, and torch sees 1 .*'0'"):
        check_gpus(Resources(gpus=2, cpus=2, processes=2))


def test_a_torch_without_cuda_is_the_users_to_replace(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(LaunchError, match="built without CUDA"):
        check_gpus(Resources(gpus=1))


@pytest.mark.parametrize(
    ("capability", "built_for", "runs"),
    [
        ((8, 9), ["sm_86"], True),
        ((8, 0), ["sm_86"], False),
        ((9, 0), ["sm_86"], False),
        ((10, 3), ["sm_100"], True),
        ((7, 0), WHEEL, False),
        ((12, 1), ["compute_90"], True),
        ((8, 0), ["compute_90"], False),
        ((9, 0), ["sm_90a"], True),
        ((10, 0), ["compute_90a"], False),
    ],
)
def test_code_runs_on_its_own_generation_and_intermediate_code_on_later_ones(capability, built_for, runs):
    assert runs_on(capability, built_for) is runs


def test_every_device_of_the_catalogue_runs_the_pinned_torch():
    capabilities = {name: device.compute_capability for name, device in load_catalogue().devices.items()}
    assert None not in capabilities.values()
    assert {name for name, found in capabilities.items() if not runs_on(found, WHEEL)} == set()


def test_a_share_leaves_room_for_what_cuda_takes_itself(monkeypatch):
    set_to = []
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=14 * GIB)
    )
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", set_to.append)
    limit_memory(0.5)
    assert set_to == [pytest.approx(0.5 - 0.7 / 14)]
    with pytest.raises(LaunchError, match=r"resources.gpus 0\.04 is 0\.56 GiB "):
        limit_memory(0.04)


def test_the_environment_keeps_memory_in_one_piece_and_no_hidden_tf32(monkeypatch):
    monkeypatch.setattr("os.environ", {"NVIDIA_TF32_OVERRIDE": "1", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": "1"})
    settle_environment(1)
    import os

    assert os.environ["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"
    assert os.environ["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert not {"NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"} & set(os.environ)
    os.environ["PYTORCH_ALLOC_CONF"] = "max_split_size_mb:128"
    settle_environment(1)
    assert os.environ["PYTORCH_ALLOC_CONF"] == "max_split_size_mb:128"


def test_fp32_stays_fp32_and_the_record_says_so(monkeypatch):
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        torch.set_float32_matmul_precision("high")
        assert settle_arithmetic(deterministic=False) == {"tf32": "off"}
        assert torch.get_float32_matmul_precision() == "highest"
        assert not torch.backends.cudnn.allow_tf32
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def test_deterministic_is_set_and_recorded(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    set_to = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", set_to.append)
    for kernel in ("flash", "mem_efficient", "cudnn"):
        monkeypatch.setattr(torch.backends.cuda, f"enable_{kernel}_sdp", set_to.append)
    assert settle_arithmetic(deterministic=True)["deterministic"] == "on"
    assert set_to == [True, False, False, False]


# What the driver's side of a machine says.


def test_the_gpu_of_a_bill_is_the_first_visible_one(monkeypatch):
    install(monkeypatch, [A10G, L4])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpu_name() == "NVIDIA A10G"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert gpu_name() == "NVIDIA L4"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-b")
    assert gpu_name() == "NVIDIA L4"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_name() is None


def test_what_follows_an_unknown_device_is_ignored_as_cuda_does(monkeypatch):
    install(monkeypatch, [A10G, L4])
    assert [gpu.uuid for gpu in visible_gpus({"CUDA_VISIBLE_DEVICES": "1,7,0"})] == ["GPU-b"]


def test_a_divided_gpu_is_its_part_in_name_and_has_no_energy_of_its_own(monkeypatch):
    part = FakeGpu("MIG-1", "NVIDIA A100-SXM4-40GB MIG 3g.20gb", (8, 0), 20 * GIB)
    install(monkeypatch, [FakeGpu("GPU-m", "NVIDIA A100-SXM4-40GB", (8, 0), parts=[part])])
    for asked in ("0", "GPU-m", "MIG-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", asked)
        assert gpu_name() == part.product
    for uuid in ("MIG-1", "GPU-m"):
        gauge, origin = gpu_energy(Resources(gpus=1), [uuid])
        assert gauge is None
        assert origin.source is Source.MISSING
    assert "MIG" in origin.by


# What becomes of an attempt.


@pytest.fixture
def order(lab) -> AttemptOrder:
    return AttemptOrder.model_validate_json(lab.order().read_bytes())


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: uncorrectable ECC error encountered\nthe patient said",
        "CUDA error: unspecified launch failure",
        "CUDA error: CUDA-capable device(s) is/are busy or unavailable",
        "No CUDA GPUs are available",
        "CUDA error: no kernel image is available for execution on the device",
    ],
)
@pytest.mark.parametrize("kind", [RuntimeError, torch.AcceleratorError, torch.cuda.DeferredCudaCallError])
def test_a_fault_of_the_gpu_says_nothing_against_the_trial(order, kind, words):
    failure = classify(kind(words), Phase.TRAIN, order)
    assert failure.kind is FailureKind.DEVICE
    assert failure.kind.blames_the_machine
    assert failure.machine is not None
    assert socket.gethostname() in failure.machine
    assert "patient" not in failure.model_dump_json()


def test_words_of_a_start_are_kept_and_none_once_data_was_read(order):
    first = "NCCL error in: NCCLUtils.cpp:94, unhandled system error"
    error = RuntimeError(f"{first}\nLast error:\nno route\nmore")
    assert classify(error, Phase.START, order).message == f"RuntimeError: {first}: no route"
    for phase in (Phase.TOKENISE, Phase.TRAIN):
        assert classify(error, phase, order).message == "RuntimeError"
    assert classify(ValueError("CUDA, said the patient"), Phase.START, order).message == "ValueError"
    assert classify(RuntimeError("the patient said"), Phase.START, order).message == "RuntimeError"


def test_an_outcome_is_written_after_a_fault_that_ends_every_later_question(lab, outcome_of, monkeypatch):
    sticky: list[str] = []

    def step(*args: Any, **keys: Any) -> Any:
        sticky.append("unspecified launch failure")
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    lap = Passes.lap

    def ask(passes: Passes) -> Any:
        if sticky:
            raise torch.AcceleratorError("CUDA error: unspecified launch failure")
        return lap(passes)

    monkeypatch.setattr(train, "optimiser_step", step)
    monkeypatch.setattr(Passes, "lap", ask)
    path = lab.order()
    run_attempt(path)
    outcome: Outcome = outcome_of(path)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.phase) == (FailureKind.DEVICE, Phase.TRAIN)
    assert any("test_gpus" in place for place in outcome.failure.places)
    assert outcome.work[Phase.TRAIN].tokens is None
    assert outcome.work[Phase.TOKENISE].tokens is not None
    assert outcome.work[Phase.TRAIN].peak_host_memory_bytes is not None


def test_a_machine_without_a_gpu_fails_the_test_of_its_gpus():
    """In a process of its own, as slots ask it."""
    assert subprocess.run([sys.executable, "-m", "workers.runtime.gpu_test"], check=False).returncode == 1
