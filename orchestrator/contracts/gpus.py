"""The GPUs of this machine, as NVIDIA's management library (NVML) describes them. Asking starts no CUDA."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Gpu:
    """One GPU, or a part of one that MIG makes."""

    uuid: str  # "GPU-…", or "MIG-…"
    product: str  # as the driver spells it
    memory_bytes: int
    capability: tuple[int, int] | None  # CUDA compute capability: major, minor


def visible_gpus(environment: Mapping[str, str] | None = None) -> list[Gpu]:
    """Return the GPUs that CUDA_VISIBLE_DEVICES leaves to a process, in its order; all of them without it.

    Numbers count as in CUDA_DEVICE_ORDER=PCI_BUS_ID. A GPU that MIG divides is replaced by its first part, as
    CUDA does. Empty where there is no driver.
    """
    asked = (os.environ if environment is None else environment).get("CUDA_VISIBLE_DEVICES")
    with _nvml() as nvml:
        if nvml is None:
            return []
        gpus = list[Gpu]()
        with suppress(nvml.NVMLError):  # CUDA as well ignores what follows a name that it does not know
            for name in _names(nvml, asked):
                gpus.append(_describe(nvml, _first_part(nvml, _handle(nvml, name))))
        return gpus


def driver_versions() -> tuple[str, int] | None:
    """Return the version of the NVIDIA driver, say "580.65.06", and the CUDA version that it supports, 13000
    for 13.0; None where there is no driver."""
    with _nvml() as nvml:
        if nvml is None:
            return None
        try:
            return str(nvml.nvmlSystemGetDriverVersion()), int(nvml.nvmlSystemGetCudaDriverVersion_v2())
        except nvml.NVMLError:
            return None


@contextmanager
def _nvml() -> Iterator[ModuleType | None]:
    """Yield the library, ready; None where there is none."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def _names(nvml: ModuleType, asked: str | None) -> list[str]:
    if asked is None:
        return [str(index) for index in range(nvml.nvmlDeviceGetCount())]
    return [name.strip() for name in asked.split(",") if name.strip()]


def _handle(nvml: ModuleType, name: str) -> object:
    if name.isdigit():
        return nvml.nvmlDeviceGetHandleByIndex(int(name))
    if name.startswith("GPU-"):  # CUDA takes the beginning of a UUID as well
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            if str(nvml.nvmlDeviceGetUUID(handle)).startswith(name):
                return handle
    return nvml.nvmlDeviceGetHandleByUUID(name)


def _first_part(nvml: ModuleType, handle: object) -> object:
    try:
        divided = nvml.nvmlDeviceGetMigMode(handle)[0]
    except nvml.NVMLError:  # of a GPU without MIG, or of a part
        return handle
    return nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, 0) if divided else handle


def _describe(nvml: ModuleType, handle: object) -> Gpu:
    return Gpu(
        uuid=str(nvml.nvmlDeviceGetUUID(handle)),
        product=str(nvml.nvmlDeviceGetName(handle)),
        memory_bytes=int(nvml.nvmlDeviceGetMemoryInfo(handle).total),
        capability=_capability(nvml, handle),
    )


def _capability(nvml: ModuleType, handle: object) -> tuple[int, int] | None:
    try:
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    except nvml.NVMLError:
        return None
    return int(major), int(minor)
