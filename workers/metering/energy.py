"""Meter energy where a counter exists: NVML on NVIDIA GPUs, the kernel's powercap tree for processors.

A counter covers a whole GPU or processor package, whichever process uses it. A trial that has all of it reads
its own energy; a trial with a part is booked that share, which is an estimate.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.contracts.outcome import Origin
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Source
from workers.metering.meter import COUNTED_SECONDS

POWERCAP = Path("/sys/class/powercap")
_SHORT = f"; phases under {COUNTED_SECONDS:g} s estimated by their seconds"
_SAMPLE_SECONDS = 20.0  # a counter of 65 kJ overflows after 2 minutes at 500 W


class NoCounterError(Exception):
    """No counter measures the energy. The text is ours."""


class EnergyGauge:
    """Joules since the last lap, from a counter of joules; `share` of it belongs to the trial. A lap in which
    the counter fell (a reloaded driver starts at 0) is unknown."""

    def __init__(self, field: str, joules: Callable[[], float | None], share: float = 1.0) -> None:
        self._field, self._joules, self._share = field, joules, share
        self._before = joules()

    def lap(self) -> Mapping[str, float | None]:
        now, before = self._joules(), self._before
        self._before = now
        if now is None or before is None or now < before:
            return {self._field: None}
        return {self._field: (now - before) * self._share}


@dataclass(frozen=True)
class _Zone:
    counter: Path  # energy_uj: microjoules, restarts at 0 after `wrap`
    wrap: int


class Rapl:
    """The counters of all processor packages and their memory, added up, including overflows.

    Read it more often than a counter overflows. Raises NoCounterError if the kernel has none, or only lets
    root read them.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        try:
            self._zones = [_Zone(z / "energy_uj", _number(z / "max_energy_range_uj")) for z in _zones(root)]
            self._last = [_number(zone.counter) for zone in self._zones]
        except OSError:
            raise NoCounterError("the kernel lets only root read the energy counters") from None
        if not self._zones:
            raise NoCounterError("the kernel offers no energy counters (intel-rapl in powercap)")
        self._microjoules = 0
        self._reading = threading.Lock()

    def joules(self) -> float | None:
        """Return the joules since this object was created; None if a counter is gone."""
        with self._reading:
            for index, zone in enumerate(self._zones):
                try:
                    now = _number(zone.counter)
                except OSError:
                    return None
                gone = now - self._last[index]
                self._microjoules += gone if gone >= 0 else gone + zone.wrap + 1
                self._last[index] = now
            return self._microjoules / 1e6

    def keep_up(self, seconds: float = _SAMPLE_SECONDS) -> None:
        """Read often enough that no overflow is missed. The thread ends with the process."""
        stopped = threading.Event()

        def sample() -> None:
            while not stopped.wait(seconds):
                self.joules()

        threading.Thread(target=sample, name="energy", daemon=True).start()


def _zones(root: Path) -> list[Path]:
    """Return the packages and the memory beside them. Cores and caches are part of a package, and `psys`, the
    whole board, includes it."""
    zones = []
    for zone in sorted(root.glob("intel-rapl:*")):
        name = (zone / "name").read_text().strip()
        if name.startswith("package-") or name == "dram":
            zones.append(zone)
    return zones


def _number(path: Path) -> int:
    return int(path.read_text())


def processor_energy(
    resources: Resources, root: Path = POWERCAP, cores: int | None = None
) -> tuple[EnergyGauge | None, Origin]:
    """Return a gauge of this machine's processors by the trial's share of its cores, and its origin."""
    try:
        rapl = Rapl(root)
    except NoCounterError as none:
        return None, Origin(source=Source.MISSING, by=str(none))
    rapl.keep_up()
    cores = cores or os.cpu_count() or 1
    granted = resources.cpus // resources.nodes
    gauge = EnergyGauge("cpu_joules", rapl.joules, min(1.0, granted / cores))
    if granted >= cores:
        return gauge, Origin(source=Source.MEASURED, by="RAPL counters of packages and memory")
    rule = f"RAPL counters of packages and memory, by share of cores ({granted} of {cores})"
    return gauge, Origin(source=Source.ESTIMATED, by=rule)


def gpu_energy(resources: Resources, uuids: Sequence[str]) -> tuple[EnergyGauge | None, Origin]:
    """Return a gauge of the GPUs with these UUIDs, in NVML's notation, and the origin of its joules."""
    try:
        joules = _nvml(uuids)
    except NoCounterError as none:
        return None, Origin(source=Source.MISSING, by=str(none))
    if resources.gpus >= 1:
        return EnergyGauge("gpu_joules", joules), Origin(
            source=Source.MEASURED, by=f"NVML total energy counter{_SHORT}"
        )
    rule = f"NVML total energy counter of a shared GPU, by the granted share ({resources.gpus:g}){_SHORT}"
    return EnergyGauge("gpu_joules", joules, resources.gpus), Origin(source=Source.ESTIMATED, by=rule)


def _nvml(uuids: Sequence[str]) -> Callable[[], float | None]:
    """Return a reader of the counters. Raises NoCounterError for GPUs before Volta, which have none, and for
    the parts of one that MIG divides, which share one whatever UUID CUDA gives them."""
    import pynvml

    try:
        pynvml.nvmlInit()
        handles: list[Any] = [pynvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in uuids]
        for handle in handles:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        raise NoCounterError("NVML counts no energy of this GPU") from None
    if any(_divided(handle) for handle in handles):
        raise NoCounterError("the GPU is divided (MIG), and NVML counts the energy of the whole")

    def joules() -> float | None:
        try:
            return float(sum(pynvml.nvmlDeviceGetTotalEnergyConsumption(h) for h in handles)) / 1000
        except pynvml.NVMLError:
            return None

    return joules


def _divided(handle: Any) -> bool:
    import pynvml

    try:
        return bool(pynvml.nvmlDeviceGetMigMode(handle)[0])
    except pynvml.NVMLError:  # it does not support MIG
        return False
