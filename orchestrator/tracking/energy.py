"""The energy of a trial, by one kind of meter: that of the devices it is billed for.

On GPUs that is the GPUs' own counter, on cores the processors'. What another meter counts beside it is left
out: a trial on a machine that has both would else look dearer than the same one on a machine that has one.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.phase_work import PhaseWork
from orchestrator.contracts.vocabulary import Figure, Source

_NO_ORIGIN = "the record does not say by which meter"


@dataclass(frozen=True)
class Energy:
    """`why`: by which meter or rule, or why there is none."""

    joules: float | None
    source: Source
    why: str

    @property
    def kwh(self) -> float | None:
        return None if self.joules is None else self.joules / 3.6e6


def energy_of(outcome: Outcome, work: PhaseWork, device_type: str) -> Energy:
    """Return the energy of `work`, which is a part of the outcome's."""
    origin = outcome.origins.get(Figure.CPU_ENERGY if device_type == CPU else Figure.GPU_ENERGY)
    joules = work.joules(on_gpu=device_type != CPU)
    if joules is None:
        missing = origin is not None and origin.source is Source.MISSING
        return Energy(None, Source.MISSING, origin.by if origin and missing else "not metered throughout")
    if origin is None:
        return Energy(joules, Source.ESTIMATED, _NO_ORIGIN)
    return Energy(joules, origin.source, origin.by)
