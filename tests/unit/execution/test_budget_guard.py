"""A budget stops a sweep between trials: what runs comes to its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from virtual_sweeps import Project

from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.budget_guard import Allowance
from orchestrator.execution.launcher import AttemptEnded, LaunchEvent, TrialEnded, TrialStarted
from orchestrator.execution.run import RunSummary
from orchestrator.execution.simulated_launcher import SimulatedAttempt

HOUR = 3600.0


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Eight trials, forecast to take an hour each, two at a time, with so many core-hours."""

    def _run(hours: float | None, took: float = 1.0) -> tuple[RunSummary, list[LaunchEvent], Project]:
        project, heard = Project(tmp_path), list[LaunchEvent]()
        plan = project.plan()
        hourly = [
            replace(item, trial=item.trial.model_copy(update={"forecast_seconds": HOUR}))
            for item in plan.to_run
        ]
        summary = project.run(
            lambda trial, order: SimulatedAttempt(took * HOUR, value=0.5),
            notify=heard.append,
            plan=replace(plan, to_run=tuple(hourly)),
            allowance=None if hours is None else Allowance(hours),
        )
        return summary, heard, project

    return _run


def states(events: list[LaunchEvent]) -> list[TrialState]:
    return [event.state for event in events if isinstance(event, TrialEnded)]


def test_trials_begin_until_what_runs_will_use_up_the_rest(run: Any) -> None:
    summary, events, project = run(4.0)
    assert (summary.finished, summary.failed, summary.held) == (4, 0, True)
    assert summary.device_hours == pytest.approx(4.0)
    assert sorted(states(events)) == [TrialState.FINISHED] * 4 + [TrialState.UNFINISHED] * 4
    # those that were held back never began: nothing on disk, and the next run takes them for new
    assert project.states()[TrialState.NEW] == 4
    assert len(project.plan().to_run) == 4


def test_no_trial_begins_that_would_take_more_than_is_left(run: Any) -> None:
    summary, _, _ = run(4.5)  # a fifth one would have half an hour
    assert (summary.finished, summary.held) == (4, True)
    assert summary.device_hours == pytest.approx(4.0)


def order(name: str, seconds: float | None, devices: int = 1) -> Any:
    return SimpleNamespace(
        name=name,
        spec=SimpleNamespace(seed=1),
        forecast_seconds=seconds,
        resources=SimpleNamespace(devices=devices),
    )


def test_the_first_that_does_not_fit_holds_back_the_shorter_ones_behind_it() -> None:
    allowance = Allowance(500 / HOUR)
    allowance.expect([order("short", 10.0), order("long", 300.0), order("middle", 201.0)])
    assert not allowance.hold()
    allowance.hear(TrialStarted("long", 0.0, "here"))
    assert allowance.hold()
    for name in ("middle", "short"):
        allowance.hear(TrialEnded(name, 0.0, TrialState.UNFINISHED))
    assert allowance.held


def test_all_devices_of_a_trial_count_and_of_one_without_a_forecast_nothing_is_known() -> None:
    allowance = Allowance(100 / HOUR)
    allowance.expect([order("wide", 60.0, devices=2)])
    assert allowance.hold()
    allowance = Allowance(100 / HOUR)
    allowance.expect([order("unknown", None)])
    assert not allowance.hold()


def test_a_run_that_takes_longer_than_forecast_overruns_by_what_runs_and_no_more(run: Any) -> None:
    summary, events, _ = run(4.0, took=1.5)
    assert sum(isinstance(event, AttemptEnded) for event in events) == summary.finished == 3
    assert summary.device_hours == pytest.approx(4.5)
    assert summary.held


def test_a_budget_that_suffices_holds_nothing_back(run: Any) -> None:
    summary, _, _ = run(8.0)
    assert (summary.finished, summary.held) == (8, False)


def test_without_a_budget_all_of_them_run(run: Any) -> None:
    summary, _, _ = run(None)
    assert (summary.finished, summary.held) == (8, False)


def test_nothing_begins_where_nothing_is_left(run: Any) -> None:
    summary, events, _ = run(0.0)
    assert (summary.finished, summary.attempts, summary.held) == (0, 0, True)
    assert states(events) == [TrialState.UNFINISHED] * 8
