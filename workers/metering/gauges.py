"""The gauges of an attempt, read at the end of each phase, and the origins of their measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from orchestrator.contracts.device import CONTEXT_BYTES, GIB
from orchestrator.contracts.outcome import Origin
from orchestrator.contracts.phase_work import PhaseWork, sum_of
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import Figure, Phase, Source
from workers.distributed.ranks import Ranks, first_of_machine
from workers.metering.energy import gpu_energy, processor_energy
from workers.metering.flops import Operations, operations_of, operations_past_backbone
from workers.metering.memory import DeviceMemory, HostMemory
from workers.metering.meter import Meter, Work, parse_work, plain_work
from workers.metering.passes import Passes

_NO_GPU = Origin(source=Source.MISSING, by="no GPU was granted")
_FROM_DRIVER = Origin(
    source=Source.MEASURED, by="what torch reserved, and beside it what NVML says of the process"
)
_ASSUMED = Origin(
    source=Source.ESTIMATED,
    by=f"what torch reserved, and {CONTEXT_BYTES / GIB:.1f} GiB for CUDA: NVML does not know the process",
)
_NOT_REACHED = Origin(source=Source.MISSING, by="the attempt ended before it")


class Gauges:
    """The gauges of one process. `origins` is filled in as the counters of the machine are detected."""

    def __init__(self, order: AttemptOrder, meter: Meter) -> None:
        self._order, self._meter, resources = order, meter, order.resources
        self._host, self._passes = HostMemory(), Passes()
        self._device: DeviceMemory | None = None
        self._others: list[tuple[Work, tuple[int, int | None]]] | None = None
        late = _NOT_REACHED if resources.gpus else _NO_GPU
        self.origins = {
            Figure.TOKENS: Origin(source=Source.MEASURED, by="attention masks of all forward passes"),
            Figure.FLOPS: _NOT_REACHED,
            Figure.GPU_ENERGY: late,
            Figure.DEVICE_MEMORY: late,
            Figure.HOST_MEMORY: Origin(source=Source.MEASURED, by="resident set (VmHWM)")
            if self._host.supported
            else Origin(source=Source.MISSING, by="the kernel does not report peaks by phase"),
        }
        meter.start_with(self._host, self._passes)
        if first_of_machine():  # the counters belong to the machine: one process reads them
            processors, self.origins[Figure.CPU_ENERGY] = processor_energy(resources)
            if processors is not None:
                meter.start_with(processors)

    def devices_settled(self) -> None:
        """Attach the gauges of the GPU, if there is one, once torch has initialised it."""
        if not self._order.resources.gpus:
            return
        uuids = _uuids()
        self._device = DeviceMemory(uuids[0])
        self._meter.attach(self._device)
        self.origins[Figure.DEVICE_MEMORY] = _FROM_DRIVER if self._device.supported else _ASSUMED
        energy, self.origins[Figure.GPU_ENERGY] = gpu_energy(self._order.resources, uuids)
        if energy is not None:
            self._meter.attach(energy)

    def model_built(self, model: Any, blank: Any) -> None:
        """Count the passes of `model`. The operations of a pass come from `blank`: the same model on the meta
        device, before it is quantised, halved or sharded."""
        operations, self.origins[Figure.FLOPS] = _operations(blank)
        head_alone = self._order.trial.method.settings.trains_head_alone
        of_head = _operations_of_head(blank) if head_alone else None
        again = self._order.resources.gradient_checkpointing
        self._passes.watch(model, operations, of_head=of_head, again=again)

    def compare(self, ranks: Ranks) -> None:
        """Collect the measurements of all ranks so far. Every rank has to call this."""
        self._others = [
            (parse_work(work), largest)
            for work, largest in ranks.gather((plain_work(self._meter.work()), self._largest()))[1:]
        ]

    def peaks(self) -> tuple[int, int | None]:
        """Return the bytes of host memory, summed over the known processes, and the most bytes of one GPU;
        None without one."""
        per_process = [self._largest(), *(peaks for _, peaks in self._others or [])]
        devices = [device for _, device in per_process if device is not None]
        return sum(host for host, _ in per_process), max(devices, default=None)

    def _largest(self) -> tuple[int, int | None]:
        return self._host.largest(), None if self._device is None else self._device.largest()

    def work(self) -> tuple[Work, dict[Figure, Origin]]:
        """Return the work of the attempt and the origin of each figure; nothing where several processes ended
        before they compared."""
        phase_work = self._meter.work()
        if self._order.resources.processes == 1:
            return phase_work, self.origins
        if self._others is None:
            unknown = Origin(source=Source.MISSING, by="the processes ended before they could compare")
            return {}, dict.fromkeys(self.origins, unknown)
        return merge_measurements([phase_work, *(work for work, _ in self._others)]), self.origins


def _operations(blank: Any) -> tuple[Operations | None, Origin]:
    try:
        operations = operations_of(blank)
    except Exception as error:
        reason = f"counting the matrix products of the model failed with {type(error).__qualname__}"
        return None, Origin(source=Source.MISSING, by=reason)
    return operations, Origin(source=Source.ESTIMATED, by="matrix products by shape (workers.metering.flops)")


def _operations_of_head(blank: Any) -> Operations | None:
    """Return the operations of a pass that leaves the backbone out, None if its head cannot do without."""
    try:
        return operations_past_backbone(blank)
    except Exception:
        return None


def _uuids() -> list[str]:
    """Return the UUID of the GPU that this process uses, as NVML writes it."""
    properties: Any = torch.cuda.get_device_properties(torch.cuda.current_device())
    return [f"GPU-{properties.uuid}"]


def merge_measurements(works: Sequence[Work]) -> Work:
    """Return the work of all processes of an attempt: sums, and for device memory the largest peak."""
    phases = [phase for phase in Phase if any(phase in work for work in works)]
    return {phase: _sum([work.get(phase, PhaseWork()) for work in works]) for phase in phases}


def _sum(works: Sequence[PhaseWork]) -> PhaseWork:
    """Sum the work. One process per machine counts the processors' energy: None in the others is no gap."""
    hosts, watts = ([getattr(w, name) for w in works] for name in ("peak_host_memory_bytes", "cpu_joules"))
    counted = [joules for joules in watts if joules is not None]
    return sum_of(works).model_copy(
        update={
            "peak_host_memory_bytes": None if None in hosts else sum(hosts),
            "cpu_joules": sum(counted) if counted else None,
        }
    )
