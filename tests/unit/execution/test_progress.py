"""What the display shows, from events alone."""

from __future__ import annotations

import pytest
from execution_fakes import make_outcome, make_trial

from orchestrator.contracts.outcome import Bill
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, TrialState
from orchestrator.execution.launcher import (
    AttemptEnded,
    DashboardReady,
    RunPlanned,
    Tick,
    TrialEnded,
    TrialLost,
    TrialOrder,
    TrialStarted,
    TrialWentOn,
)
from orchestrator.execution.progress import Progress


def planned(trial: TrialOrder, candidate: int | None = None) -> PlannedTrial:
    return PlannedTrial(
        cell=trial.spec.cell,
        seed=trial.spec.seed,
        fingerprint=trial.spec.fingerprint,
        resources=trial.resources,
        forecast_seconds=trial.forecast_seconds,
        candidate=candidate,
    )


def progress_of(trials: list[TrialOrder]) -> Progress:
    return Progress(map(planned, trials))


def begin(progress: Progress, trial: TrialOrder, at: float) -> None:
    progress.update(TrialStarted(trial.name, at, "here"))


def attempt(
    progress: Progress,
    trial: TrialOrder,
    since: float,
    until: float,
    failure: FailureKind | None = None,
    value: float = 0.5,
) -> None:
    order = AttemptOrder(
        trial=trial.spec,
        attempt=1,
        directory="d",
        cache_dir="c",
        resources=trial.resources,
        ordered_at=since,
    )
    bill = Bill(
        allocated_at=since, released_at=until, devices=trial.resources.devices, device_type="whatever"
    )
    progress.update(AttemptEnded(trial.name, until, make_outcome(order, failure, value), bill))


def end(progress: Progress, trial: TrialOrder, at: float, state: TrialState = TrialState.FINISHED) -> None:
    progress.update(TrialEnded(trial.name, at, state))


def test_counts_trials_by_where_they_are() -> None:
    a, b, c, d = (make_trial(task) for task in "abcd")
    progress = progress_of([a, b, c, d])
    for trial in (a, b, c):
        begin(progress, trial, 0.0)
    end(progress, a, 5.0)
    end(progress, b, 6.0, TrialState.FAILED)
    assert (progress.total, progress.waiting, progress.running) == (4, 1, (c.name,))
    assert (progress.finished, progress.failed, progress.unfinished) == (1, 1, 0)
    end(progress, c, 7.0, TrialState.UNFINISHED)
    assert progress.unfinished == 1


def test_keeps_the_best_quality_of_each_task() -> None:
    low, high, other = make_trial("a", seed=1), make_trial("a", seed=2), make_trial("b")
    progress = progress_of([low, high, other])
    attempt(progress, high, 0.0, 1.0, value=0.75)
    attempt(progress, low, 0.0, 1.0, value=0.25)
    attempt(progress, other, 0.0, 1.0, FailureKind.DIVERGED)
    assert {task: (best.quality, best.trial) for task, best in progress.best.items()} == {
        "a": (0.75, high.name)
    }


def test_device_hours_count_devices_lost_attempts_and_what_runs() -> None:
    wide, narrow = make_trial("a", cpus=4), make_trial("b")
    progress = progress_of([wide, narrow])
    begin(progress, wide, 0.0)
    attempt(progress, wide, 0.0, 1800.0, FailureKind.PREEMPTED)
    assert progress.device_hours == pytest.approx(2.0)
    progress.update(Tick(3600.0))  # its second attempt is half an hour old
    assert progress.device_hours == pytest.approx(4.0)
    attempt(progress, wide, 1800.0, 5400.0)
    end(progress, wide, 5400.0)
    progress.update(Tick(9000.0))
    assert progress.device_hours == pytest.approx(6.0)


def test_a_core_is_never_called_a_gpu() -> None:
    assert progress_of([make_trial("a", cpus=8)]).unit == "core-hours"
    assert progress_of([make_trial("a", gpus=0.5)]).unit == "GPU-hours"


def test_time_left_goes_by_the_forecast_then_by_how_it_turned_out() -> None:
    trials = [make_trial(task, forecast=100.0) for task in "abcd"]
    progress = progress_of(trials)
    begin(progress, trials[0], 0.0)
    begin(progress, trials[1], 0.0)
    assert progress.seconds_left == pytest.approx(200.0)  # 400 seconds of work at two places
    progress.update(Tick(50.0))
    assert progress.seconds_left == pytest.approx(150.0)
    end(progress, trials[0], 300.0)  # three times as long as forecast
    end(progress, trials[1], 300.0)
    assert progress.seconds_left == pytest.approx(300.0)


def test_time_left_goes_by_the_places_that_are_known_until_so_many_have_started() -> None:
    trials = [make_trial(task, forecast=100.0) for task in "abcd"]
    progress = Progress([planned(trial) for trial in trials], places=4)
    assert progress.seconds_left == pytest.approx(100.0)
    begin(progress, trials[0], 0.0)
    assert progress.seconds_left == pytest.approx(100.0)
    end(progress, trials[0], 80.0)  # before the second started
    assert progress.seconds_left == pytest.approx(80.0)
    for trial in trials[1:3]:
        begin(progress, trial, 80.0)
    assert progress.seconds_left == pytest.approx(80.0)
    begin(progress, trials[3], 80.0)  # three at once, with four started
    assert progress.seconds_left == pytest.approx(80.0)
    progress = Progress([planned(trial) for trial in trials], places=2)
    for number, trial in enumerate(trials[:2]):  # one at a time
        begin(progress, trial, number * 100.0)
        end(progress, trial, number * 100.0 + 100.0)
    assert progress.seconds_left == pytest.approx(200.0)


def test_a_trial_that_takes_longer_than_its_forecast_makes_the_others_longer() -> None:
    trials = [make_trial(task, forecast=10.0) for task in "abc"]
    progress = progress_of(trials)
    begin(progress, trials[0], 0.0)
    progress.update(Tick(40.0))
    assert progress.seconds_left == pytest.approx(4 + 2 * 40)
    end(progress, trials[0], 50.0)
    assert progress.seconds_left == pytest.approx(2 * 50)


def test_a_late_short_trial_makes_no_long_ones_longer() -> None:
    short, *long = [make_trial("a", forecast=2.0), *(make_trial(task, forecast=3600.0) for task in "bcd")]
    progress = progress_of([short, *long])
    for trial in (short, long[0]):
        begin(progress, trial, 0.0)
    progress.update(Tick(40.0))
    assert progress.seconds_left == pytest.approx((4 + 3560 + 2 * 3600) / 2)
    end(progress, short, 40.0)
    assert progress.seconds_left == pytest.approx((3560 + 2 * 3600) / 2)
    end(progress, long[0], 7200.0)  # twice as long as forecast
    assert progress.seconds_left == pytest.approx(7200.0)


def test_time_left_is_at_least_that_of_the_longest_trial() -> None:
    trials = [make_trial("a", forecast=90.0), make_trial("b", forecast=10.0)]
    progress = progress_of(trials)
    for trial in trials:
        begin(progress, trial, 0.0)
    assert progress.seconds_left == pytest.approx(90.0)


def test_time_left_is_unknown_until_there_is_something_to_go_by() -> None:
    trials = [make_trial(task, forecast=None) for task in "abc"]
    progress = progress_of(trials)
    begin(progress, trials[0], 0.0)
    assert progress.seconds_left is None
    end(progress, trials[0], 40.0)
    assert progress.seconds_left == pytest.approx(80.0)
    for trial in trials[1:]:
        begin(progress, trial, 40.0)
        end(progress, trial, 80.0)
    assert progress.seconds_left == 0


def test_a_trial_whose_node_is_gone_waits_until_it_goes_on() -> None:
    trial = make_trial("a", forecast=100.0)
    progress = progress_of([trial])
    begin(progress, trial, 0.0)
    attempt(progress, trial, 0.0, 60.0, FailureKind.PREEMPTED)
    progress.update(TrialLost(trial.name, 60.0))
    assert (progress.running, progress.waiting, progress.lost) == ((), 1, 1)
    progress.update(Tick(3660.0))
    assert progress.device_hours == pytest.approx(60 / 3600)  # while it waits it costs nothing
    progress.update(TrialWentOn(trial.name, 3660.0))
    assert (progress.running, progress.waiting, progress.lost) == ((trial.name,), 0, 0)
    end(progress, trial, 3700.0)
    assert (progress.finished, progress.seconds_left) == (1, 0)


def test_a_lost_trial_that_fails_waits_no_longer() -> None:
    trial = make_trial("a")
    progress = progress_of([trial])
    begin(progress, trial, 0.0)
    progress.update(TrialLost(trial.name, 1.0))
    end(progress, trial, 1.0, TrialState.FAILED)
    assert (progress.running, progress.waiting, progress.lost, progress.failed) == ((), 0, 0, 1)


def test_time_left_counts_what_the_checkpoint_has_not_done() -> None:
    trial = make_trial("a", forecast=100.0)
    progress = Progress([planned(trial).model_copy(update={"done_share": 0.75})])
    assert progress.seconds_left == pytest.approx(25.0)


def test_a_late_event_does_not_turn_the_clock_back() -> None:
    trial = make_trial("a", forecast=100.0)
    progress = progress_of([trial])
    begin(progress, trial, 0.0)
    progress.update(Tick(60.0))
    progress.update(Tick(20.0))
    assert progress.seconds_left == pytest.approx(40.0)


def test_knows_the_dashboard_and_never_shows_its_token_in_a_repr() -> None:
    progress = progress_of([])
    progress.update(DashboardReady("http://127.0.0.1:1", "hidden"))
    assert progress.dashboard is not None
    assert progress.dashboard.token == "hidden"
    assert "hidden" not in repr(progress.dashboard)


def test_candidates_are_counted_apart_from_trials() -> None:
    seeds = [planned(make_trial("a", 40.0, seed=seed)) for seed in (1, 2)]
    first = [planned(make_trial("a", 10.0), candidate=number) for number in (1, 2)]
    second = [planned(make_trial("a", 10.0), candidate=3)]
    progress = Progress()
    progress.update(RunPlanned((*first, *seeds), undrawn=(10.0,)))
    assert (progress.tuning_ended, progress.tuning_total, progress.total) == (0, 3, 2)
    assert progress.seconds_left == pytest.approx(3 * 10 + 2 * 40)
    for candidate, state in zip(first, (TrialState.FINISHED, TrialState.FAILED), strict=True):
        progress.update(TrialStarted(candidate.name, 0.0, "here"))
        progress.update(TrialEnded(candidate.name, 10.0, state))
    progress.update(RunPlanned((*second, *seeds)))
    assert (progress.tuning_ended, progress.tuning_total, progress.total) == (2, 3, 2)
    assert (progress.finished, progress.failed) == (0, 0)
    assert progress.waiting == 3


def test_trials_whose_search_found_nothing_are_waited_for_no_longer() -> None:
    seeds = [planned(make_trial(task, 40.0)) for task in "ab"]
    progress = Progress(seeds)
    progress.update(RunPlanned((seeds[1],)))
    assert (progress.total, progress.waiting) == (1, 1)
    assert progress.seconds_left == pytest.approx(40.0)
