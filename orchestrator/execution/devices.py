"""What the driver's side of a machine can tell about its GPUs without the training stack."""

from __future__ import annotations

from orchestrator.contracts.gpus import visible_gpus


def gpu_name() -> str | None:
    """Return the product name of the first GPU that this process was given, as the driver of the card spells
    it; None without one."""
    gpus = visible_gpus()
    return gpus[0].product if gpus else None
