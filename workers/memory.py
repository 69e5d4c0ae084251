"""Peaks of memory, phase by phase."""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

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
    """The most bytes that torch had given out for tensors on the GPU since the last lap."""

    def __init__(self) -> None:
        self._largest = 0

    def lap(self) -> Mapping[str, float | None]:
        peak = torch.cuda.max_memory_allocated()
        self._largest = max(self._largest, peak)
        torch.cuda.reset_peak_memory_stats()
        return {"peak_device_memory_bytes": peak} if peak else {}

    def largest(self) -> int | None:
        """Of all phases so far, in bytes."""
        return max(self._largest, torch.cuda.max_memory_allocated()) or None
