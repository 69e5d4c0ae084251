"""Energy from a made-up powercap tree: packages and memory, over the points where the counters wrap."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Phase, Source
from workers.metering.energy import EnergyGauge, NoCounterError, Rapl, gpu_energy, processor_energy
from workers.metering.meter import Meter

WRAP = 1_000_000_000  # microjoules


def zone(root: Path, name: str, kind: str, microjoules: int) -> Path:
    place = root / name
    place.mkdir(parents=True)
    (place / "name").write_text(kind + "\n")
    (place / "max_energy_range_uj").write_text(f"{WRAP - 1}\n")
    (place / "energy_uj").write_text(f"{microjoules}\n")
    return place / "energy_uj"


def test_packages_and_memory_count_and_what_lies_inside_or_around_them_does_not(tmp_path):
    counted = [
        zone(tmp_path, "intel-rapl:0", "package-0", 5_000_000),
        zone(tmp_path, "intel-rapl:1", "package-1", 7_000_000),
        zone(tmp_path, "intel-rapl:0:1", "dram", 0),
    ]
    others = [
        zone(tmp_path, "intel-rapl:0:0", "core", 0),
        zone(tmp_path, "intel-rapl:2", "psys", 0),
        zone(tmp_path, "intel-rapl-mmio:0", "package-0", 0),
    ]
    rapl = Rapl(tmp_path)
    for counter in [*counted, *others]:
        counter.write_text(str(int(counter.read_text()) + 2_500_000))
    assert rapl.joules() == 7.5


def test_a_counter_that_came_around_has_not_run_backwards(tmp_path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0", WRAP - 2_000_000)
    rapl = Rapl(tmp_path)
    for microjoules in (1_000_000, 900_000_000, 4_000_000):  # around, on, around again
        counter.write_text(str(microjoules))
        rapl.joules()
    assert rapl.joules() == pytest.approx((2_000_000 + WRAP + 4_000_000) / 1e6)


def test_a_trial_with_a_part_of_the_cores_is_booked_that_part_as_an_estimate(tmp_path):
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    gauge, origin = processor_energy(Resources(cpus=2), tmp_path, cores=8)
    counter.write_text("100000000")
    assert gauge.lap() == {"cpu_joules": 25.0}
    assert gauge.lap() == {"cpu_joules": 0.0}
    assert origin.source is Source.ESTIMATED
    assert "2 of 8" in origin.by
    counter.unlink()
    assert gauge.lap() == {"cpu_joules": None}
    counter.write_text("0")
    assert processor_energy(Resources(cpus=8), tmp_path, cores=8)[1].source is Source.MEASURED


def test_where_nothing_counts_energy_it_is_missing_with_the_reason(tmp_path):
    with pytest.raises(NoCounterError):
        Rapl(tmp_path)
    gauge, origin = processor_energy(Resources(), tmp_path)
    assert gauge is None
    assert (origin.source, "no energy counters" in origin.by) == (Source.MISSING, True)
    assert gpu_energy(Resources(gpus=1), ["GPU-none"])[1].source is Source.MISSING


def test_a_counter_that_fell_tells_nothing_of_its_phase_and_ends_no_trial():
    readings = iter([100.0, 40.0, 55.0])
    meter = Meter(clock=lambda: 0.0)
    meter.start_with(EnergyGauge("gpu_joules", lambda: next(readings)))
    meter.enter(Phase.TRAIN)
    work = meter.work()
    assert (work[Phase.START].gpu_joules, work[Phase.TRAIN].gpu_joules) == (None, 15.0)
