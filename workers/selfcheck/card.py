"""What the driver reports about the first GPU, through NVIDIA's management library."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch

from orchestrator.contracts import device
from orchestrator.contracts.gpus import visible_gpus
from workers.selfcheck.results import CheckProblemError
from workers.selfcheck.workspace import Workspace

INSTALL_BITSANDBYTES = "pip install 'frontier-sweeps[quantised]'"


def nvml_of_first_gpu() -> tuple[Any, Any]:
    """Return the library, ready, and the handle of the GPU that a process sees first."""
    try:
        import pynvml
    except ImportError:
        problem = "the Python package nvidia-ml-py is not installed"
        raise CheckProblemError(problem, "pip install nvidia-ml-py") from None
    gpus = visible_gpus()
    if not gpus:
        raise CheckProblemError("the driver names no GPU", "check that `nvidia-smi` lists it")
    pynvml.nvmlInit()
    return pynvml, pynvml.nvmlDeviceGetHandleByUUID(gpus[0].uuid)


def first_gpu_has_bf16() -> bool:
    """Return whether the first GPU computes in bf16. Asking torch would start CUDA and make forks
    impossible."""
    gpus = visible_gpus()
    return bool(gpus) and device.has_bf16(gpus[0].capability or (0, 0))


def timing_event() -> Any:
    """Return an event that the GPU stamps with the time when it reaches it."""
    event: Any = torch.cuda.Event
    return event(enable_timing=True)


def has_bitsandbytes() -> bool:
    return find_spec("bitsandbytes") is not None


def used_bytes(workspace: Workspace) -> int:
    """Return the bytes that any process uses on the GPU; 0 in a rehearsal."""
    if workspace.rehearsal:
        return 0
    nvml, handle = nvml_of_first_gpu()
    return int(nvml.nvmlDeviceGetMemoryInfo(handle).used)
