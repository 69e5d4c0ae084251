"""What the driver's side of a machine can tell about its GPUs without the training stack."""

from __future__ import annotations


def gpu_name() -> str | None:
    """The product name of this machine's first GPU, as the driver of the card spells it; None without one."""
    import pynvml

    try:
        pynvml.nvmlInit()
        name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return None
    return str(name)
