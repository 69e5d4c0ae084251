"""Phases are exclusive and leave no gap."""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from orchestrator.contracts.device import CONTEXT_BYTES
from orchestrator.contracts.vocabulary import Phase
from workers.metering.memory import DeviceMemory, HostMemory
from workers.metering.meter import Meter, add_phases


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nested_phases_do_not_count_twice():
    clock, begun = Clock(), []
    meter = Meter(clock, began=97.0, on_phase=begun.append)
    meter.enter(Phase.TRAIN)
    clock.now = 110.0
    with meter.within(Phase.EVALUATE):
        clock.now = 114.0
    clock.now = 115.0
    assert meter.seconds() == {Phase.START: 3.0, Phase.TRAIN: 11.0, Phase.EVALUATE: 4.0}
    assert meter.elapsed() == 18.0
    assert begun == [Phase.TRAIN, Phase.EVALUATE, Phase.TRAIN]


def test_waiting_for_a_gauge_belongs_to_the_phase_that_it_is_read_for():
    """A gauge may wait for the device, which still computes what the phase asked for."""
    clock = Clock()

    class Waits:
        def lap(self) -> dict[str, float | None]:
            clock.now += 2.0
            return {}

    meter = Meter(clock)
    meter.start_with(Waits())
    meter.enter(Phase.TRAIN)
    meter.enter(Phase.TEST)
    assert meter.seconds() == {Phase.START: 2.0, Phase.TRAIN: 2.0, Phase.TEST: 2.0}


def test_a_failure_stays_in_the_phase_that_it_happened_in():
    meter = Meter(Clock())
    with pytest.raises(KeyError), meter.within(Phase.CHECKPOINT):
        raise KeyError
    assert meter.phase is Phase.CHECKPOINT


def test_phases_of_two_attempts_add_up():
    assert add_phases({Phase.TRAIN: 1.0}, {Phase.TRAIN: 2.0, Phase.TEST: 4.0}) == {
        Phase.TRAIN: 3.0,
        Phase.TEST: 4.0,
    }


class Counts:
    """A gauge that tells what it was told to tell."""

    def __init__(self, *laps: dict[str, float | None]) -> None:
        self.laps = list(laps)

    def lap(self) -> dict[str, float | None]:
        return self.laps.pop(0) if self.laps else {}


def test_gauges_are_read_phase_by_phase_and_peaks_are_not_added_up():
    meter = Meter(Clock())
    meter.start_with(
        Counts(
            {"tokens": 0, "peak_host_memory_bytes": 50},
            {"tokens": 7, "peak_host_memory_bytes": 90},
            {"tokens": 30, "peak_host_memory_bytes": 80},
            {"tokens": 5, "peak_host_memory_bytes": 70},
        )
    )
    meter.enter(Phase.TRAIN)
    with meter.within(Phase.EVALUATE):
        pass
    found = meter.work()
    assert {phase: work.tokens for phase, work in found.items()} == {
        Phase.START: 0,
        Phase.TRAIN: 12,
        Phase.EVALUATE: 30,
    }
    assert found[Phase.TRAIN].peak_host_memory_bytes == 90


def test_what_a_gauge_could_not_tell_stays_unknown_of_the_whole_phase():
    meter = Meter(Clock())
    meter.attach(Counts({"gpu_joules": 4.0}, {"gpu_joules": 3.0}, {"gpu_joules": 9.0}, {"gpu_joules": None}))
    meter.enter(Phase.TRAIN)  # the start was half over when the gauge came
    meter.enter(Phase.TEST)
    found = meter.work()
    assert {phase: work.gpu_joules for phase, work in found.items()} == {
        Phase.START: None,
        Phase.TRAIN: 9.0,
        Phase.TEST: None,
    }


def test_a_phase_that_is_shorter_than_the_energy_counter_can_tell_gets_its_share_of_the_seconds():
    clock = Clock()
    meter = Meter(clock)
    laps = [{"gpu_joules": joules} for joules in (0.0, 900.0, 0.0, 300.0)]
    meter.start_with(Counts(*laps))
    for phase, seconds in ((Phase.TOKENISE, 0.5), (Phase.TRAIN, 9.0), (Phase.EVALUATE, 0.5), (None, 2.0)):
        clock.now += seconds
        if phase is not None:
            meter.enter(phase)
    found = {phase: work.gpu_joules for phase, work in meter.work().items()}
    assert found == pytest.approx(
        {Phase.START: 50.0, Phase.TOKENISE: 825.0, Phase.TRAIN: 50.0, Phase.EVALUATE: 275.0}
    )


def test_a_phase_of_which_nobody_knows_the_energy_is_not_estimated():
    clock = Clock()
    meter = Meter(clock)
    meter.start_with(Counts({"gpu_joules": None}, {"gpu_joules": 60.0}))
    clock.now += 0.5
    meter.enter(Phase.TRAIN)
    clock.now += 4.0
    found = {phase: work.gpu_joules for phase, work in meter.work().items()}
    assert found == {Phase.START: None, Phase.TRAIN: 60.0}


def test_peak_memory_is_that_of_a_phase_and_of_this_process():
    memory = HostMemory()
    if not memory.supported:
        pytest.skip("this kernel does not forget peaks")
    memory.lap()  # forgets what tests before this one had reached
    before = memory.lap()["peak_host_memory_bytes"]
    # A mapping of its own: `bytes` may be given a block of the heap that earlier tests left resident.
    with mmap.mmap(-1, 80_000_000) as block:
        block.write(b"x" * len(block))
        high = memory.lap()["peak_host_memory_bytes"]
    memory.lap()
    after = memory.lap()["peak_host_memory_bytes"]
    assert 10**7 < before < 10**11
    assert high > before + 60_000_000
    assert after < high - 60_000_000
    assert memory.largest() >= high


def test_a_kernel_that_forgets_no_peaks_tells_none_by_phase(tmp_path):
    (tmp_path / "status").write_text("Name:\tx\nVmHWM:\t  1000 kB\n")
    memory = HostMemory(tmp_path / "not-there")
    assert not memory.supported
    assert memory.lap() == {}
    assert memory.largest() > 10**7


class _Driver:
    """NVML of one GPU: what it says that this process takes, None where it does not know the process."""

    NVMLError = LookupError

    def __init__(self, told: int | None) -> None:
        self.told = told

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        return uuid

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[SimpleNamespace]:  # noqa: N802
        others = SimpleNamespace(pid=1, usedGpuMemory=10**12)
        own = SimpleNamespace(pid=os.getpid(), usedGpuMemory=self.told)
        return [others] if self.told is None else [others, own]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], _Driver]:
    """A GPU on which torch holds 300 bytes, and had reserved 900 at most."""

    def gpu(told: int | None) -> _Driver:
        driver = _Driver(told)
        monkeypatch.setitem(sys.modules, "pynvml", driver)
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 300)
        monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 900)
        monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
        return driver

    return gpu


def test_the_peak_of_a_gpu_is_what_torch_reserved_and_what_the_driver_adds(gpu) -> None:
    driver = gpu(800)
    memory = DeviceMemory("GPU-1")
    assert memory.supported
    assert memory.lap() == {"peak_device_memory_bytes": 900 + 500}
    driver.told = 850  # a library loaded its kernels
    assert memory.lap() == {"peak_device_memory_bytes": 900 + 550}
    driver.told = None
    assert memory.largest() == 900 + 550


def test_where_the_driver_does_not_know_the_process_its_context_is_estimated(gpu) -> None:
    gpu(None)
    memory = DeviceMemory("GPU-1")
    assert not memory.supported
    assert memory.lap() == {"peak_device_memory_bytes": 900 + round(CONTEXT_BYTES)}
