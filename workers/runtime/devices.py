"""Set up the devices of a trial: threads, GPU share, precision, accelerator."""

from __future__ import annotations

from importlib.metadata import version
from platform import python_version
from typing import Literal

import torch
from accelerate import Accelerator

from orchestrator.contracts.outcome import Device
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Precision
from workers.distributed.sharding import make_accelerator, sharding_software
from workers.runtime.gpus import limit_memory, settle_arithmetic

_SOFTWARE = ("torch", "transformers", "peft", "accelerate", "tokenizers")


def set_up_devices(
    resources: Resources,
    requested: Literal["auto", "fp32", "bf16", "fp16"],
    max_grad_norm: float,
    *,
    deterministic: bool = False,
) -> tuple[Accelerator, Device]:
    """Return an accelerator for the granted devices, and the device for the records. Set torch's threads.
    Call `gpus.check_gpus` and `ranks.join` first.

    Raises LaunchError if a share of a GPU is too small, if fp16 is requested without a whole model on a GPU,
    or if the sharding is not available.
    """
    torch.set_num_threads(resources.threads)
    gpu = resources.gpus > 0
    if 0 < resources.gpus < 1:
        limit_memory(resources.gpus)
    precision = _precision(requested, gpu)
    software = {"python": python_version()} | {name: version(name) for name in _SOFTWARE}
    if gpu:
        software |= settle_arithmetic(deterministic=deterministic)
    device = Device(
        type=torch.cuda.get_device_name() if gpu else "cpu",
        count=resources.devices,
        precision=precision,
        software=software | sharding_software(resources),
        spread=resources.spread,
    )
    return make_accelerator(resources, precision, max_grad_norm), device


def _precision(requested: Literal["auto", "fp32", "bf16", "fp16"], gpu: bool) -> Precision:
    if requested == "auto":
        # Older GPUs can only emulate bf16, at a fraction of the speed of fp32.
        has_it = gpu and torch.cuda.is_bf16_supported(including_emulation=False)
        return Precision.BF16 if has_it else Precision.FP32
    return Precision(requested)
