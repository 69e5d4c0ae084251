"""What a phase of an attempt did and took, beside its seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Phase


class PhaseWork(Record):
    """None means not known, or no such device; `Outcome.origins` says why.

    For an attempt with several processes these are sums; device memory is the largest of any process.
    """

    gpu_joules: NonNegativeFloat | None = None
    cpu_joules: NonNegativeFloat | None = None  # of processor packages and their memory
    tokens: NonNegativeInt | None = None  # real ones, through forward passes; padding left out
    flops: NonNegativeFloat | None = None  # padding included, as it is computed
    peak_host_memory_bytes: PositiveInt | None = None
    peak_device_memory_bytes: PositiveInt | None = None

    def joules(self, on_gpu: bool) -> float | None:
        """Return the energy of the billed devices. Meters are never added up, because not every machine has
        both."""
        return self.gpu_joules if on_gpu else self.cpu_joules


NO_WORK = PhaseWork()
PEAKS = ("peak_host_memory_bytes", "peak_device_memory_bytes")


def sum_of(works: Sequence[PhaseWork]) -> PhaseWork:
    """Return sums, and the largest peak. A sum is unknown if any of its figures is; a peak is the largest
    known one."""
    sums: dict[str, float | int | None] = {}
    for name in PhaseWork.model_fields:
        values = [getattr(work, name) for work in works]
        present = [value for value in values if value is not None]
        if name in PEAKS:
            sums[name] = max(present, default=None)
        else:
            sums[name] = sum(present) if present and len(present) == len(values) else None
    return PhaseWork.model_validate(sums)


def add_work(first: Mapping[Phase, PhaseWork], second: Mapping[Phase, PhaseWork]) -> dict[Phase, PhaseWork]:
    """Add up the work of each phase."""
    phases = [phase for phase in Phase if phase in first or phase in second]
    return {p: sum_of([part[p] for part in (first, second) if p in part]) for p in phases}
