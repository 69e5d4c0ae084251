"""Measure peak memory phase by phase."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from orchestrator.contracts.device import CONTEXT_BYTES

_PROCESS = Path("/proc/self")
_FORGET_PEAK = b"5"  # proc(5), clear_refs: resets the peak to what is resident now


class HostMemory:
    """The largest resident set of this process since the last lap, in bytes. It includes pages that are
    shared with the warm template.

    `supported` says whether the kernel can reset the peak; where it cannot, there is one peak per process.
    """

    def __init__(self, process: Path = _PROCESS) -> None:
        self._status, self._forget = process / "status", process / "clear_refs"
        self._largest = 0
        self.supported = self._reset_peak() and self._peak() is not None

    def lap(self) -> Mapping[str, float | None]:
        if not self.supported:
            return {}
        peak = self._peak()
        self._largest = max(self._largest, peak or 0)
        self._reset_peak()
        return {"peak_host_memory_bytes": peak}

    def largest(self) -> int:
        """Return the largest peak of all phases so far, in bytes."""
        return max(self._largest, self._peak() or 0, _peak_of_process())

    def _peak(self) -> int | None:
        try:
            lines = self._status.read_text().splitlines()
        except OSError:
            return None
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)

    def _reset_peak(self) -> bool:
        try:
            self._forget.write_bytes(_FORGET_PEAK)
        except OSError:
            return False
        return True


def _peak_of_process() -> int:
    """Return the peak of the process in bytes, since the kernel last reset it."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class DeviceMemory:
    """The most bytes of the GPU that this process used since the last lap: what torch reserved, plus what
    CUDA and its libraries use. `supported` says whether the driver reports that part."""

    def __init__(self, uuid: str) -> None:
        """`uuid` names the GPU as NVML does."""
        self._uuid = uuid
        self._largest = 0
        self._beside: int | None = None
        self.supported = self._look()

    def lap(self) -> Mapping[str, float | None]:
        self._look()
        peak = self._peak()
        self._largest = max(self._largest, peak)
        torch.cuda.reset_peak_memory_stats()
        return {"peak_device_memory_bytes": peak}

    def largest(self) -> int:
        """Return the largest peak of all phases so far, in bytes."""
        return max(self._largest, self._peak())

    def _peak(self) -> int:
        beside = CONTEXT_BYTES if self._beside is None else self._beside
        return torch.cuda.max_memory_reserved() + round(beside)

    def _look(self) -> bool:
        """Update the memory beside torch's. Libraries load kernels as they need them, so the maximum
        counts."""
        used = bytes_of_process(self._uuid)
        if used is None:
            return False
        self._beside = max(self._beside or 0, used - torch.cuda.memory_reserved())
        return True


def bytes_of_process(uuid: str) -> int | None:
    """Return the bytes of a GPU that the driver books to this process; None if it does not list the process
    id, as in most containers."""
    import pynvml

    try:
        pynvml.nvmlInit()
        handle: Any = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:
        return None
    return next((process.usedGpuMemory for process in processes if process.pid == os.getpid()), None)
