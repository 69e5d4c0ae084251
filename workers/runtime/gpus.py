"""Check that this machine can use the GPUs of a trial, and configure them. The checks do not start CUDA, so a
problem is reported clearly before the first kernel fails."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence

import torch

from orchestrator.contracts.device import CONTEXT_BYTES, GIB
from orchestrator.contracts.gpus import Gpu, driver_versions, visible_gpus
from orchestrator.contracts.resources import Resources
from orchestrator.errors import FrontierError, LaunchError

_CODE = re.compile(r"(sm|compute)_(\d+)(\d)([af]?)")


class DeviceFaultError(FrontierError):
    """A granted GPU cannot be used here. The trial itself is fine."""


def check_gpus(resources: Resources) -> None:
    """Raise DeviceFaultError if a granted GPU is missing, its driver is too old, or torch has no code for it;
    LaunchError if torch itself has no CUDA."""
    if not resources.gpus:
        return
    if torch.version.cuda is None:
        raise LaunchError(
            f"the trial was given a GPU, and torch {torch.__version__} is built without CUDA\n"
            "    -> install a torch that is built for CUDA, or set resources.gpus to 0"
        )
    _check_driver(torch.version.cuda)
    expected = max(1, resources.processes // resources.nodes)
    visible = torch.cuda.device_count()
    if visible < expected:
        granted = os.environ.get("CUDA_VISIBLE_DEVICES")
        raise DeviceFaultError(
            f"expected {expected} {'GPU' if expected == 1 else 'GPUs'}, and torch sees {visible} "
            f"(CUDA_VISIBLE_DEVICES is {'not set' if granted is None else repr(granted)})\n"
            "    -> check with nvidia-smi that the driver runs and counts the GPU; on Kubernetes, that the "
            "pod's runtime class is nvidia"
        )
    gpus = visible_gpus()
    for gpu in gpus[:expected]:
        _check_code(gpu, torch.cuda.get_arch_list())


def this_machine() -> str:
    """Return its host name, and the UUIDs of the GPUs that this process sees."""
    return ", ".join([socket.gethostname(), *(gpu.uuid for gpu in visible_gpus())])


def _check_driver(built_for: str) -> None:
    versions = driver_versions()
    if versions is None:  # no driver, which the count of GPUs shows, or a container without its library
        return
    driver, cuda = versions
    if cuda // 1000 < int(built_for.split(".")[0]):
        raise DeviceFaultError(
            f"the NVIDIA driver {driver} supports CUDA {cuda // 1000}.{cuda % 1000 // 10}, and torch "
            f"{torch.__version__} is built for CUDA {built_for}\n"
            f"    -> update the driver, or install a torch that is built for CUDA {cuda // 1000}"
        )


def _check_code(gpu: Gpu, built_for: Sequence[str]) -> None:
    if gpu.capability is not None and built_for and not runs_on(gpu.capability, built_for):
        raise DeviceFaultError(
            f"{gpu.product} has compute capability {gpu.capability[0]}.{gpu.capability[1]}, and torch "
            f"{torch.__version__} has code for {' '.join(built_for)}\n"
            "    -> use a GPU of one of these, or install a torch that is built for this one"
        )


def runs_on(capability: tuple[int, int], built_for: Sequence[str]) -> bool:
    """Return whether a GPU runs some of the code that torch was built with, "sm_86" or "compute_90".

    Machine code (sm) runs on its own generation from its minor number on, intermediate code (compute) on
    everything since; with a letter at the end, on that capability alone (CUDA C++ programming guide, 5.3).
    """
    major, minor = capability
    for kind, code_major, code_minor, only in filter(None, map(_parts, built_for)):
        if only:
            supported = (code_major, code_minor) == capability
        elif kind == "sm":
            supported = code_major == major and code_minor <= minor
        else:
            supported = (code_major, code_minor) <= capability
        if supported:
            return True
    return False


def _parts(code: str) -> tuple[str, int, int, str] | None:
    match = _CODE.fullmatch(code)
    return None if match is None else (match[1], int(match[2]), int(match[3]), match[4])


def limit_memory(share: float) -> None:
    """Keep this process within its share of the GPU, including what CUDA takes beside tensors, so that its
    neighbours keep theirs. Raises LaunchError if that leaves nothing for tensors."""
    total = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    tensors = share * total - CONTEXT_BYTES
    if tensors <= 0:
        raise LaunchError(
            f"resources.gpus {share:g} is {share * total / GIB:.2f} GiB of this GPU, and CUDA takes "
            f"{CONTEXT_BYTES / GIB:.1f} GiB in each process\n    -> raise resources.gpus"
        )
    torch.cuda.set_per_process_memory_fraction(tensors / total)


def settle_arithmetic(*, deterministic: bool) -> dict[str, str]:
    """Configure how a GPU computes, and return the settings as the records write them. fp32 is fp32: no TF32
    in its products, whatever the image says. `deterministic`: equal runs give equal bits, with slower
    kernels."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    if not deterministic:
        return {"tf32": "off"}
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # cuBLAS reads it at its first product
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    # The backward passes of the other attention kernels sum in any order.
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.backends.cuda.enable_cudnn_sdp(False)
    return {"tf32": "off", "deterministic": "on"}
