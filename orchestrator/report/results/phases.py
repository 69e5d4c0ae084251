"""Where the device time of a sweep went, phase by phase: all of its attempts, the failed ones included."""

from __future__ import annotations

import math

from orchestrator.contracts.ledger import CPU, AttemptRecord, TrialRecord
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Phase

_JOULES_A_KWH = 3.6e6
TITLES = {
    Phase.QUEUE: "queue",
    Phase.START: "start-up",
    Phase.LOAD: "loading weights",
    Phase.TOKENISE: "reading and tokenising",
    Phase.TRAIN: "training",
    Phase.EVALUATE: "scoring dev",
    Phase.CHECKPOINT: "checkpoints",
    Phase.TEST: "scoring test",
    Phase.SERVE: "timing the answers",
}
NO_PHASE = "in no phase"


class PhaseCost(Record):
    """One phase on one device type. `share` is that of the device-hours billed there. Energy, of the
    devices that are billed, and work are None unless every attempt that was in the phase tells of them."""

    device_type: str
    phase: Phase | None  # None: billed, and in no phase that is on record
    device_hours: float
    share: float
    energy_kwh: float | None = None
    flops: float | None = None

    @property
    def title(self) -> str:
        return NO_PHASE if self.phase is None else TITLES[self.phase]


class PhaseTally:
    """Sums up, one record at a time."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, Phase], float] = {}
        self._joules: dict[tuple[str, Phase], float] = {}
        self._flops: dict[tuple[str, Phase], float] = {}
        self._billed: dict[str, float] = {}

    def add(self, record: TrialRecord) -> None:
        for attempt in record.attempts:
            self._add(attempt)

    def _add(self, attempt: AttemptRecord) -> None:
        device = attempt.device_type
        self._billed[device] = self._billed.get(device, 0.0) + (attempt.billed_device_seconds or 0.0)
        work = attempt.outcome.work if attempt.outcome else {}
        phases = attempt.phases or (attempt.outcome.phases if attempt.outcome else {})
        for phase, seconds in phases.items():
            key = (device, phase)
            self._seconds[key] = self._seconds.get(key, 0.0) + seconds * attempt.devices
            done = work.get(phase)
            joules = None if done is None else done.joules(on_gpu=device != CPU)
            flops = None if done is None else done.flops
            # A missing part makes the whole missing: not a number stays one, whatever is added to it.
            self._joules[key] = self._joules.get(key, 0.0) + (math.nan if joules is None else joules)
            self._flops[key] = self._flops.get(key, 0.0) + (math.nan if flops is None else flops)

    def costs(self) -> tuple[PhaseCost, ...]:
        """Return the costs by device type, in the order of a trial; time in no phase comes last."""
        costs = []
        for device, billed in sorted(self._billed.items()):
            phases = [phase for phase in Phase if (device, phase) in self._seconds]
            seconds = [self._seconds[device, phase] for phase in phases]
            total = max(billed, math.fsum(seconds))
            if not total:
                continue
            costs += [self._cost(device, phase, total) for phase in phases]
            rest = total - math.fsum(seconds)
            if rest > 0:
                costs.append(
                    PhaseCost(device_type=device, phase=None, device_hours=rest / 3600, share=rest / total)
                )
        return tuple(costs)

    def _cost(self, device: str, phase: Phase, total: float) -> PhaseCost:
        seconds, joules = self._seconds[device, phase], self._joules[device, phase]
        flops = self._flops[device, phase]
        return PhaseCost(
            device_type=device,
            phase=phase,
            device_hours=seconds / 3600,
            share=seconds / total,
            energy_kwh=None if math.isnan(joules) else joules / _JOULES_A_KWH,
            flops=None if math.isnan(flops) else flops,
        )
