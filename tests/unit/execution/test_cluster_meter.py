"""What a cluster held for a sweep, beside what its trials were billed, in virtual time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console
from virtual_sweeps import Project

from orchestrator.cli.results.ledger import ledger_json, show_ledger
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.cluster_meter import ClusterMeter
from orchestrator.execution.launcher import Hold, LaunchEvent, Notify, Tick, TrialOrder, Workplace, never
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.run import run_sweep
from orchestrator.execution.simulated_launcher import SimulatedLauncher
from orchestrator.execution.trial_events import TrialFeed
from orchestrator.tracking.ledger import Ledger


def seconds_of(ledger: Ledger) -> list[float]:
    return [run.gpu_seconds for run in ledger.held().runs]


def test_nodes_that_come_late_and_go_late_are_held_whether_trials_run_or_not(tmp_path: Path) -> None:
    """Two GPUs from the 60th second on, four from the 100th, two again at the 200th, none at the 320th."""
    ledger = Ledger(tmp_path / "sweep")
    for start in (0.0, 1000.0):  # a second run is added to the first
        meter = ClusterMeter(ledger)
        looks = ((0, 0), (60, 2), (90, None), (100, 4), (200, 2), (320, 0), (400, 0))
        for at, gpus in looks:
            meter.hear(Tick(start + at, gpus))
    assert seconds_of(ledger) == [2 * 40 + 4 * 100 + 2 * 120] * 2


def test_what_a_killed_run_knew_is_written_down(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "sweep")
    meter = ClusterMeter(ledger)
    for at in (0.0, 15.0, 30.0):
        meter.hear(Tick(at, 1.0))
        assert seconds_of(Ledger(tmp_path / "sweep")) == ([at] if at else [])


def test_where_nobody_counts_gpus_nothing_is_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "sweep")
    ClusterMeter(ledger).hear(Tick(1.0))
    assert not ledger.directory.exists()


def test_the_gpus_of_the_cluster_are_counted_now_and_then_among_the_ticks(tmp_path: Path) -> None:
    clock, heard = VirtualClock(), list[LaunchEvent]()
    place, counts = Workplace(tmp_path, cache_dir=tmp_path), iter([2.0, None, 4.0])
    feed = TrialFeed([], place, RetryPolicy(0), heard.append, clock, gpus=lambda: next(counts))
    began = clock.now()
    for _ in range(45):
        clock.advance_to(clock.now() + 1)
        feed.hand_on()
    ticks = [(event.at - began, event.gpus) for event in heard if isinstance(event, Tick)]
    assert len(ticks) == 45
    assert [gpus for _, gpus in ticks[:1] + ticks[30:31]] == [2.0, 4.0]
    assert [gpus for _, gpus in ticks if gpus is not None] == [2.0, 4.0], "not known at the 16th second"


class OnNodes(SimulatedLauncher):
    """The node is there 100 seconds before its first trial, and 50 after its last."""

    def run(self, trials: Sequence[TrialOrder], notify: Notify, hold: Hold = never) -> None:
        def tell(event: LaunchEvent) -> None:
            notify(Tick(event.at, 1.0) if isinstance(event, Tick) else event)

        notify(Tick(self._clock.now() - 100, 1.0))
        super().run(trials, tell, hold)
        notify(Tick(self._clock.now() + 50, 1.0))


def test_the_ledger_tells_what_was_held_beside_what_was_billed(tmp_path: Path) -> None:
    project, clock = Project(tmp_path), VirtualClock()
    plan, ledger = project.plan(resources={"gpus": 1}), Ledger(project.sweep_directory)
    place = Workplace(project.sweep_directory, cache_dir=tmp_path)
    run_sweep(
        plan,
        plan.record(written_at=0.0, frontier_version="1", provenance={}),
        ledger=ledger,
        launcher=OnNodes(place, RetryPolicy(0), slots=1, clock=clock),
        view=None,
        notify=lambda event: None,
        clock=clock,
    )
    [billed] = [device["billed_device_hours"] for device in ledger_json(ledger)["devices"]]
    assert ledger_json(ledger)["held_gpu_hours"] == pytest.approx(billed + 150 / 3600)
    shown = io.StringIO()
    show_ledger(ledger, Console(file=shown, width=400))
    assert f"{billed + 150 / 3600:.6f} GPU-hours were held by the cluster" in shown.getvalue()
    assert f"{billed:.6f} were billed to trials" in shown.getvalue()
