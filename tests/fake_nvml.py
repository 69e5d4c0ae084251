"""A stand-in for pynvml: some GPUs, and what is asked of them here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest


class FakeNvmlError(Exception):
    """Whatever NVML refuses."""


@dataclass
class FakeGpu:
    uuid: str
    product: str = "NVIDIA A10G"
    capability: tuple[int, int] = (8, 6)
    memory_bytes: int = 23 * 2**30
    millijoules: int = 0
    parts: list[FakeGpu] = field(default_factory=list)  # of MIG


def install(
    monkeypatch: pytest.MonkeyPatch, gpus: Sequence[FakeGpu], driver: str = "580.65.06", cuda: int = 13000
) -> None:
    """Answer every `import pynvml` of this test. Without GPUs there is no driver."""

    def start() -> None:
        if not gpus:
            raise FakeNvmlError

    def by_uuid(uuid: str) -> FakeGpu:
        everything = [*gpus, *(part for gpu in gpus for part in gpu.parts)]
        return _first([gpu for gpu in everything if gpu.uuid == uuid])

    def energy(gpu: FakeGpu) -> int:
        if gpu.uuid.startswith("MIG-"):
            raise FakeNvmlError
        return gpu.millijoules

    def mig_mode(gpu: FakeGpu) -> list[int]:
        if gpu.uuid.startswith("MIG-"):
            raise FakeNvmlError
        return [int(bool(gpu.parts))] * 2

    fake: Any = SimpleNamespace(
        NVMLError=FakeNvmlError,
        nvmlInit=start,
        nvmlShutdown=lambda: None,
        nvmlSystemGetDriverVersion=lambda: driver,
        nvmlSystemGetCudaDriverVersion_v2=lambda: cuda,
        nvmlDeviceGetCount=lambda: len(gpus),
        nvmlDeviceGetHandleByIndex=lambda place: _first(gpus[place : place + 1]),
        nvmlDeviceGetHandleByUUID=by_uuid,
        nvmlDeviceGetUUID=lambda gpu: gpu.uuid,
        nvmlDeviceGetName=lambda gpu: gpu.product,
        nvmlDeviceGetMemoryInfo=lambda gpu: SimpleNamespace(total=gpu.memory_bytes),
        nvmlDeviceGetCudaComputeCapability=lambda gpu: gpu.capability,
        nvmlDeviceGetMigMode=mig_mode,
        nvmlDeviceGetMigDeviceHandleByIndex=lambda gpu, place: gpu.parts[place],
        nvmlDeviceGetTotalEnergyConsumption=energy,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)


def _first(found: Sequence[FakeGpu]) -> FakeGpu:
    if not found:
        raise FakeNvmlError
    return found[0]
