"""Peaks of memory, phase by phase."""

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
_FORGET_PEAK = b"5"  # proc(5), clear_refs: the peak begins anew at what is resident now


class HostMemory:
    """The largest resident set of this process since the last lap, in bytes. Pages that are shared with the
    warm template are counted in.

    `kept` is whether the kernel forgets peaks for us; where it does not there is one peak, of the process.
    """

    def __init__(self, process: Path = _PROCESS) -> None:
        self._status, self._forget = process / "status", process / "clear_refs"
        self._largest = 0
        self.told = self._begin_anew() and self._peak() is not None

    def lap(self) -> Mapping[str, float | None]:
        if not self.told:
            return {}
        peak = self._peak()
        self._largest = max(self._largest, peak or 0)
        self._begin_anew()
        return {"peak_host_memory_bytes": peak}

    def largest(self) -> int:
        """Of all phases so far, in bytes."""
        return max(self._largest, self._peak() or 0, _peak_of_process())

    def _peak(self) -> int | None:
        try:
            lines = self._status.read_text().splitlines()
        except OSError:
            return None
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)

    def _begin_anew(self) -> bool:
        try:
            self._forget.write_bytes(_FORGET_PEAK)
        except OSError:
            return False
        return True


def _peak_of_process() -> int:
    """In bytes, since the last time that it began anew."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class DeviceMemory:
    """The most bytes of the GPU that this process had taken since the last lap: what torch had reserved, and
    beside it what CUDA and its libraries take. `told` is whether the driver says how much that is."""

    def __init__(self, uuid: str) -> None:
        """`uuid`: of the GPU, as NVML names it."""
        self._uuid = uuid
        self._largest = 0
        self._beside: int | None = None
        self.told = self._look()

    def lap(self) -> Mapping[str, float | None]:
        self._look()
        peak = self._peak()
        self._largest = max(self._largest, peak)
        torch.cuda.reset_peak_memory_stats()
        return {"peak_device_memory_bytes": peak}

    def largest(self) -> int:
        """Of all phases so far, in bytes."""
        return max(self._largest, self._peak())

    def _peak(self) -> int:
        beside = CONTEXT_BYTES if self._beside is None else self._beside
        return torch.cuda.max_memory_reserved() + round(beside)

    def _look(self) -> bool:
        """Libraries load their kernels as they need them: the most that was seen counts."""
        whole = bytes_of_process(self._uuid)
        if whole is None:
            return False
        self._beside = max(self._beside or 0, whole - torch.cuda.memory_reserved())
        return True


def bytes_of_process(uuid: str) -> int | None:
    """What the driver says that this process takes of a GPU. None where it does not know the process by its
    number: in most containers."""
    import pynvml

    try:
        pynvml.nvmlInit()
        handle: Any = pynvml.nvmlDeviceGetHandleByUUID(uuid)
        found = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except pynvml.NVMLError:
        return None
    return next((process.usedGpuMemory for process in found if process.pid == os.getpid()), None)
