"""What the driver can find out about a machine's GPUs without the training stack."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.gpus import Gpu, visible_gpus


def first_gpu() -> Gpu | None:
    """Return the first GPU that this process was given; None without one."""
    return next(iter(visible_gpus()), None)


def gpu_name(uuids: Sequence[str] = ()) -> str | None:
    """Return the product name of the first of these GPUs, or of those that this process was given, as the
    driver of the card spells it; None without one."""
    gpus = visible_gpus({"CUDA_VISIBLE_DEVICES": ",".join(uuids)} if uuids else None)
    return gpus[0].product if gpus else None
