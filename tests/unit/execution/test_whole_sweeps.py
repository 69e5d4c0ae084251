"""Whole sweeps in virtual time: the real plan and ledger, no training."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_sweeps import Board, DriverKilledError, Project

from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, TrialState
from orchestrator.errors import LedgerError
from orchestrator.execution.launcher import LaunchEvent, TrialEnded, TrialOrder
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.simulated_launcher import SimulatedAttempt, as_forecast


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_runs_everything_once_then_nothing(project: Project) -> None:
    first, second = project.run(), project.run()
    assert (first.finished, first.failed, first.attempts, first.up_to_date) == (8, 0, 8, 0)
    assert (second.finished, second.attempts, second.up_to_date) == (0, 0, 8)
    assert set(project.finished_attempts().values()) == {1}


def test_wall_and_device_time_are_those_of_the_attempts(project: Project) -> None:
    summary = project.run(lambda trial, order: SimulatedAttempt(30.0))
    assert summary.wall_seconds == pytest.approx(8 * 30.0 / 2)
    assert summary.device_hours * 3600 == pytest.approx(8 * 30.0)


def test_trials_that_ran_on_another_gpu_than_planned_are_told(tmp_path: Path) -> None:
    summary = Project(tmp_path, keys={"resources": {"device": "nvidia-a10g"}}).run()
    assert summary.elsewhere == (("nvidia-a10g", "simulated GPU"),)
    (tmp_path / "cores").mkdir()
    assert Project(tmp_path / "cores").run().elsewhere == ()


def test_a_killed_driver_loses_no_trial_and_repeats_none(project: Project) -> None:
    ended: list[str] = []

    def die_after_three(event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded):
            ended.append(event.name)
            if len(ended) == 3:
                raise DriverKilledError

    with pytest.raises(DriverKilledError):
        project.run(notify=die_after_three)
    assert project.states()[TrialState.FINISHED] == 3
    summary = project.run()
    assert (summary.up_to_date, summary.finished) == (3, 5)
    assert set(project.finished_attempts().values()) == {1}


def test_the_run_after_a_kill_resumes_from_the_checkpoints(project: Project) -> None:
    def stuck(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
        return SimulatedAttempt(10.0, FailureKind.PREEMPTED, checkpoint_step=50 * order.attempt)

    project.run(stuck)
    resumed: list[str | None] = []

    def note(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
        resumed.append(order.resume_from)
        return as_forecast(trial, order)

    project.run(note)
    attempts = 1 + RetryPolicy().preemptions
    assert [Path(path).name for path in resumed if path] == [f"step-{50 * attempts}"] * 8


def test_an_interrupted_sweep_has_a_bill_for_each_attempt_and_goes_on(project: Project) -> None:
    def stop(event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded) and event.state is TrialState.FINISHED:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.run(notify=stop)
    assert project.states() == {TrialState.FINISHED: 1, TrialState.UNFINISHED: 1, TrialState.NEW: 6}
    assert len(list(project.sweep_directory.rglob("bill.json"))) == 2
    assert project.run().finished == 7


def test_every_trial_is_published_what_a_killed_driver_left_included(project: Project) -> None:
    def die(event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded):
            raise DriverKilledError

    with pytest.raises(DriverKilledError):
        project.run(notify=die)
    board = Board([])
    project.run(board=board)
    last = dict(board.states)
    assert len(last) == 8
    assert set(last.values()) == {TrialState.FINISHED}


def test_adding_a_method_runs_its_cells_only(project: Project) -> None:
    project.run()
    summary = project.run(plan=project.plan(methods=["full", "lora", "ia3"]))
    assert (summary.up_to_date, summary.finished) == (8, 4)


def test_two_drivers_never_share_a_sweep(project: Project) -> None:
    def second_driver(event: LaunchEvent) -> None:
        project.run()

    with pytest.raises(LedgerError, match="another driver"):
        project.run(notify=second_driver)


FATES = st.sampled_from([None, *FailureKind])


@given(
    fates=st.lists(FATES, min_size=1, max_size=40),
    seconds=st.lists(st.floats(0.1, 1e4), min_size=1, max_size=8),
    places=st.integers(1, 5),
    death=st.integers(1, 60),
)
def test_whatever_fails_no_trial_is_lost_or_done_twice(
    fates: list[FailureKind | None], seconds: list[float], places: int, death: int
) -> None:
    """Attempts meet their fates in turn, and the driver dies at the `death`-th event; then all goes well."""
    with tempfile.TemporaryDirectory() as directory:
        project, attempts, events = Project(Path(directory), places), 0, list[LaunchEvent]()

        def script(trial: TrialOrder, order: AttemptOrder) -> SimulatedAttempt:
            nonlocal attempts
            attempts += 1
            return SimulatedAttempt(seconds[attempts % len(seconds)], fates[attempts % len(fates)])

        def die(event: LaunchEvent) -> None:
            events.append(event)
            if len(events) == death:
                raise DriverKilledError

        try:
            project.run(script, notify=die)
            survived = True
        except DriverKilledError:
            survived = False
        ended = Counter(event.name for event in events if isinstance(event, TrialEnded))
        assert set(ended.values()) <= {1}
        assert len(ended) == 8 or not survived
        done = project.states()[TrialState.FINISHED]
        summary = project.run()
        assert (summary.up_to_date, summary.finished, summary.failed) == (done, 8 - done, 0)
        assert project.finished_attempts() == Counter({t.name: 1 for t in project.plan().trials})
