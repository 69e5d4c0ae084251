"""Whether what trials and probes were seen to take fits the device that a cell is given. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from orchestrator.config import GridCell
from orchestrator.config.resources import AutoResources
from orchestrator.contracts.device import DeviceKind, kind_of_product
from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.planning.memory import gib
from orchestrator.planning.placement import MARGIN


@dataclass(frozen=True)
class _Peak:
    bytes: int
    device_type: str
    by: str  # "a probe" or "a finished trial"


def device_kind(
    asked: Resources | AutoResources, product: str | None, devices: Mapping[str, DeviceKind]
) -> DeviceKind | None:
    """Return the GPU that the sweep names, else the one that trials recorded; None if the catalogue lacks
    it."""
    if isinstance(asked, AutoResources) and asked.device is not None:
        return devices[asked.device]
    return kind_of_product(devices.values(), product)


class Peaks:
    """Remembers the largest peak of trials that are alike as far as memory goes: of finished ones, and of
    probes where none has finished."""

    def __init__(
        self,
        history: Iterable[TrialHistory],
        probes: Iterable[TrialHistory],
        asked: Resources | AutoResources,
        devices: Mapping[str, DeviceKind],
    ) -> None:
        self._asked, self._devices = asked, devices
        self._peaks: dict[Hashable, _Peak] = {}
        for by, histories in (("a probe", probes), ("a finished trial", history)):
            for trial in histories:
                self._learn(trial, by)

    def _learn(self, trial: TrialHistory, by: str) -> None:
        if trial.newest is None:
            return
        spec, timing = trial.newest[0], trial.newest[1].timing
        if timing is None or timing.peak_memory_bytes is None or timing.device_type == CPU:
            return
        passes = timing.pass_size or Resources().pass_size(spec.recipe)
        names = spec.backbone.name, spec.method.name, spec.task.name
        key = _key(names, spec.recipe, timing.spread, passes)
        before = self._peaks.get(key)
        if before is None or before.by != by or timing.peak_memory_bytes > before.bytes:
            self._peaks[key] = _Peak(timing.peak_memory_bytes, timing.device_type, by)

    def refusal(self, cell: GridCell, given: Resources) -> str | None:
        """Return the arithmetic in words; None if it fits, or if peak or memory are unknown. Where a trial
        has run to its end on such a device, nothing is kept in reserve."""
        if not given.gpus:
            return None
        names = cell.backbone.name, cell.variant.spec.name, cell.task.spec.name
        peak = self._peaks.get(_key(names, cell.recipe, given.spread, given.pass_size(cell.recipe)))
        device = None if peak is None else device_kind(self._asked, peak.device_type, self._devices)
        if peak is None or device is None:
            return None
        share = min(given.gpus, 1.0)
        room = share * device.memory_bytes
        proven = peak.by == "a finished trial" and device.is_product(peak.device_type)
        needed = peak.bytes * (1.0 if proven else 1 + MARGIN)
        if needed <= room:
            return None
        reserve = "" if proven else f", with {MARGIN:.0%} in reserve {gib(needed)}"
        part = "" if share == 1 else f" {share:g} of"
        took = f"{peak.by} of it took {gib(peak.bytes)} on {peak.device_type}{reserve}"
        fix = "lower micro_batch_size or max_length, or give it a larger GPU"
        return f"it does not fit: {took}, and{part} {device.name} has {gib(room)}; {fix}"


def _key(names: tuple[str, str, str], recipe: Recipe, spread: str, passes: int) -> Hashable:
    """Return what decides how much memory a trial takes on one device. `passes` are examples per training
    pass."""
    return names, spread, passes, recipe.evaluation_batch_size, recipe.max_length, recipe.precision
