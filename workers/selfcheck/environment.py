"""Row 1, and `frontier doctor --gpu`: the driver and the state of the GPU.

The checks read no user data, so messages of libraries may be shown in full.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import torch

from orchestrator.config.catalogue import load_catalogue
from orchestrator.contracts.device import DeviceKind, kind_of_product
from orchestrator.contracts.gpus import driver_versions
from orchestrator.contracts.resources import Resources
from orchestrator.errors import FrontierError
from workers.runtime.gpus import check_gpus
from workers.selfcheck.card import nvml_of_first_gpu
from workers.selfcheck.results import CheckProblemError, Reading, at_least, at_most, equal
from workers.selfcheck.workspace import Workspace

_SLOWED_BY_FAULTS = {
    0x08: "a slowdown of the hardware",
    0x20: "heat, by the driver",
    0x40: "heat, by the hardware",
    0x80: "the power brake",
}


def driver(workspace: Workspace) -> list[Reading]:
    """Check that torch has code for this GPU and that the driver supports torch's CUDA."""
    try:
        check_gpus(Resources(gpus=1))
    except FrontierError as error:
        problem, _, fix = str(error).partition("\n    -> ")
        raise CheckProblemError(problem, fix or None) from None
    versions = driver_versions()
    name, cuda = versions or ("not told", 0)
    return [
        Reading(name="driver", value=name),
        Reading(name="CUDA of the driver", value=f"{cuda // 1000}.{cuda % 1000 // 10}"),
        Reading(name="CUDA of torch", value=str(torch.version.cuda)),
        Reading(name="architectures of torch", value=" ".join(torch.cuda.get_arch_list())),
    ]


def catalogue(workspace: Workspace) -> list[Reading]:
    """Compare the entry of this GPU in configs/devices with what the GPU reports."""
    name, kind = torch.cuda.get_device_name(), kind_here()
    if kind is None:
        raise CheckProblemError(
            f"configs/devices has no entry for {name!r}",
            "add a file there, so that `resources: {device: …}` can plan for it",
        )
    total = torch.cuda.get_device_properties(0).total_memory
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    fix = f"correct configs/devices/{kind.name}.yaml"
    return [
        Reading(name="entry", value=kind.name),
        at_most("memory_gib differs by a share of", abs(total / kind.memory_bytes - 1), 0.02, fix),
        equal("bf16", str(bf16), str(kind.bf16), fix),
    ]


def kind_here() -> DeviceKind | None:
    return kind_of_product(load_catalogue().devices.values(), torch.cuda.get_device_name())


def state_of_the_card(workspace: Workspace) -> list[Reading]:
    """Report free memory, sharing modes, memory errors, and what slows the clocks."""
    nvml, handle = nvml_of_first_gpu()

    def reported(ask: Any, *arguments: Any) -> Any:
        with suppress(nvml.NVMLError):
            return ask(handle, *arguments)
        return None  # this kind of GPU does not report it

    free, total = torch.cuda.mem_get_info()
    figures = [
        at_least(
            "free share of the memory",
            free / total,
            0.9,
            "end what else runs on the GPU (nvidia-smi lists it)",
        )
    ]
    mig = reported(nvml.nvmlDeviceGetMigMode)
    figures.append(Reading(name="MIG", value="on" if mig and mig[0] else "off"))
    mode = reported(nvml.nvmlDeviceGetComputeMode)
    shared = mode in (None, nvml.NVML_COMPUTEMODE_DEFAULT)
    figures.append(
        equal(
            "compute mode",
            "default" if shared else "exclusive",
            "default",
            "run `nvidia-smi -c DEFAULT`: trials that share the GPU need it",
        )
    )
    figures.append(Reading(name="MPS", value="on" if "CUDA_MPS_PIPE_DIRECTORY" in os.environ else "off"))
    errors = reported(
        nvml.nvmlDeviceGetTotalEccErrors, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
    )
    value: float | str = "not told" if errors is None else float(errors)
    figures.append(
        Reading(
            name="uncorrected memory errors",
            value=value,
            limit="0",
            passed=not errors,
            fix="reset or replace the card",
        )
    )
    reasons = reported(nvml.nvmlDeviceGetCurrentClocksThrottleReasons) or 0
    slowed = ", ".join(reason for bit, reason in _SLOWED_BY_FAULTS.items() if reasons & bit)
    figures.append(
        equal("clocks slowed by", slowed or "nothing", "nothing", "check cooling and power supply")
    )
    return figures
