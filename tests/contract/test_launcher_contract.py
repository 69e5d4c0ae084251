"""What every launcher promises, checked through its front door and the records it leaves."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from execution_fakes import ACTOR_GONE, FAULT, FINISH, HANG, HOST_GONE, KILLED, SEEN_GPUS, make_trial

from orchestrator.contracts import layout
from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, TrialState
from orchestrator.errors import LaunchError
from orchestrator.execution.launcher import (
    AttemptEnded,
    DashboardReady,
    LaunchEvent,
    Tick,
    TrialEnded,
    TrialLost,
    TrialStarted,
    TrialWentOn,
)

STATES = {
    "killed-once": TrialState.FINISHED,
    "killed-always": TrialState.FAILED,
    "bad-input": TrialState.FAILED,
    "crash": TrialState.FAILED,
    "memory": TrialState.FAILED,
    "fine": TrialState.FINISHED,
}
ATTEMPTS = {"killed-once": 2, "killed-always": 3, "bad-input": 1, "crash": 1, "fine": 1}
ATTEMPTS |= {"memory": 6}  # forward passes of 32, 16, 8, 4, 2, 1 examples


def attempt_directories(sweep: Path, name: str) -> list[Path]:
    return [path for _, path in layout.attempts(layout.trial_directory(sweep, name))]


def orders_of(sweep: Path, name: str) -> list[AttemptOrder]:
    return [
        AttemptOrder.model_validate_json((path / layout.ORDER).read_bytes())
        for path in attempt_directories(sweep, name)
    ]


def test_starts_seed_by_seed_those_without_a_forecast_first_and_then_the_longest(launch: Any) -> None:
    trials = [
        make_trial("short", 1.0),
        make_trial("long", 30.0),
        make_trial("middle", 10.0),
        make_trial("unknown", None),
        make_trial("longest", 40.0, seed=2),
    ]
    started = [e.name.split("/")[3] for e in launch(trials) if isinstance(e, TrialStarted)]
    assert started == ["unknown", "long", "middle", "short", "longest"]


def test_each_trial_ends_once_in_its_own_state_whatever_the_others_do(mixed: Any) -> None:
    started = Counter(e.name for e in mixed.events if isinstance(e, TrialStarted))
    ended = [(e.name.split("/")[3], e.state) for e in mixed.events if isinstance(e, TrialEnded)]
    assert started == Counter(make_trial(task).name for task in STATES)
    assert sorted(ended) == sorted(STATES.items())


def test_retries_what_may_pass_and_nothing_else(mixed: Any) -> None:
    made = {task: len(orders_of(mixed.place.sweep_directory, make_trial(task).name)) for task in ATTEMPTS}
    assert made == ATTEMPTS


def test_out_of_memory_is_tried_again_with_half_the_pass_and_the_same_step(mixed: Any) -> None:
    orders = orders_of(mixed.place.sweep_directory, make_trial("memory").name)
    assert [order.micro_batch_size for order in orders] == [None, 16, 8, 4, 2, 1]
    assert {order.trial.recipe.batch_size for order in orders} == {32}


def test_without_retries_one_attempt_is_all(launch: Any) -> None:
    trial = make_trial("killed-always")
    launch([trial], {"killed-always": (KILLED,)}, retries=0)
    assert len(orders_of(launch.place.sweep_directory, trial.name)) == 1


def test_every_attempt_leaves_complete_records_and_is_told(mixed: Any) -> None:
    told = {(e.name, e.outcome.attempt): e for e in mixed.events if isinstance(e, AttemptEnded)}
    for trial in (make_trial(task) for task in STATES):
        for order in orders_of(mixed.place.sweep_directory, trial.name):
            directory = Path(order.directory)
            outcome = Outcome.model_validate_json((directory / layout.OUTCOME).read_bytes())
            bill = Bill.model_validate_json((directory / layout.BILL).read_bytes())
            assert order.trial == trial.spec
            assert (outcome.trial, outcome.attempt) == (trial.name, order.attempt)
            assert bill.released_at >= bill.allocated_at == order.ordered_at
            assert bill.devices == 1
            event = told.pop((trial.name, order.attempt))
            assert (event.outcome, event.bill) == (outcome, bill)
    assert told == {}


def test_a_retry_resumes_from_the_newest_checkpoint(launch: Any) -> None:
    trial = make_trial("twice")
    launch([trial], {"twice": (KILLED, KILLED, FINISH)})
    first, second, third = orders_of(launch.place.sweep_directory, trial.name)
    assert first.resume_from is None
    assert second.resume_from == str(Path(first.directory) / "checkpoint" / "step-10")
    assert third.resume_from == str(Path(second.directory) / "checkpoint" / "step-20")


def test_the_next_launch_has_a_fresh_round_of_attempts(launch: Any) -> None:
    trial = make_trial("stubborn")
    launch([trial], {"stubborn": (KILLED,)}, retries=1)
    launch([trial], {"stubborn": (KILLED, KILLED, KILLED, FINISH)}, retries=1)
    assert [e.state for e in launch.events if isinstance(e, TrialEnded)] == [
        TrialState.FAILED,
        TrialState.FINISHED,
    ]
    assert len(orders_of(launch.place.sweep_directory, trial.name)) == 4


def test_nothing_to_run_tells_nothing(launch: Any) -> None:
    assert launch([]) == []


def test_what_notify_raises_ends_the_launch(launch: Any) -> None:
    def fail(event: LaunchEvent) -> None:
        if isinstance(event, TrialEnded):
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        launch([make_trial(task) for task in ("a", "b", "c")], notify=fail)
    assert len([e for e in launch.events if isinstance(e, TrialEnded)]) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_running_trials_unfinished_but_billed(launch: Any, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    trials = [make_trial("slow", 9.0), make_trial("later", 1.0)]

    def stop(event: LaunchEvent) -> None:
        started = layout.attempt_directory(launch.place.sweep_directory, trials[0].name, 1) / layout.ORDER
        if started.exists() and not stopped:
            stopped.append(True)
            signal.raise_signal(number)

    stopped: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        launch(trials, {"slow": (HANG,)}, notify=stop)
    assert signal.getsignal(number) == before
    ended = [(e.name, e.state) for e in launch.events if isinstance(e, TrialEnded)]
    assert ended == [(trials[0].name, TrialState.UNFINISHED)]
    (attempt,) = attempt_directories(launch.place.sweep_directory, trials[0].name)
    assert (attempt / layout.BILL).exists()
    assert not (attempt / layout.OUTCOME).exists()
    assert attempt_directories(launch.place.sweep_directory, trials[1].name) == []


@pytest.mark.parametrize("launch", ["local"], indirect=True)
def test_a_lost_host_costs_one_attempt(launch: Any) -> None:
    trials = [make_trial("first", 9.0), make_trial("unlucky", 1.0)]
    events = launch(trials, {"unlucky": (HOST_GONE, FINISH)})
    assert all(e.state is TrialState.FINISHED for e in events if isinstance(e, TrialEnded))
    (first, _) = attempt_directories(launch.place.sweep_directory, trials[1].name)
    outcome = Outcome.model_validate_json((first / layout.OUTCOME).read_bytes())
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.PREEMPTED


@pytest.mark.parametrize("launch", ["local", "ray"], indirect=True)
def test_a_host_that_never_works_ends_the_launch(launch: Any) -> None:
    with pytest.raises(LaunchError, match="the host is gone"):
        launch([make_trial("a"), make_trial("b")], {"a": (HOST_GONE,), "b": (HOST_GONE,)})


@pytest.mark.parametrize("launch", ["local", "ray"], indirect=True)
@pytest.mark.parametrize("wanted", [{"cpus": 64}, {"gpus": 1}])
def test_a_trial_that_never_fits_is_refused(launch: Any, wanted: dict[str, int]) -> None:
    with pytest.raises(LaunchError, match=r"lower|set resources"):
        launch([make_trial("huge", **wanted)])
    assert launch.events == []


def gpus_of(sweep: Path, name: str) -> list[str]:
    [attempt] = attempt_directories(sweep, name)
    return (attempt / SEEN_GPUS).read_text().split(",")


@pytest.mark.parametrize("launch", ["local"], indirect=True)
def test_each_trial_sees_the_gpus_that_it_was_given_and_no_others(launch: Any) -> None:
    """The pair begins first; then a whole one, and halves that share what it leaves."""
    trials = [
        make_trial("pair", 9.0, cpus=2, gpus=2),
        make_trial("whole", 8.0, gpus=1),
        *(make_trial(f"half-{place}", 7.0 - place, gpus=0.5) for place in range(3)),
        make_trial("cores", 1.0),
    ]
    events = launch(trials, at_once=2, gpus=["GPU-a", "GPU-b"])
    assert {e.state for e in events if isinstance(e, TrialEnded)} == {TrialState.FINISHED}
    sweep = launch.place.sweep_directory
    assert gpus_of(sweep, trials[0].name) == ["GPU-a", "GPU-b"]
    assert all(len(gpus_of(sweep, trial.name)) == 1 for trial in trials[1:5])
    [attempt] = attempt_directories(sweep, trials[5].name)
    assert not (attempt / SEEN_GPUS).exists()
    billed = {e.name: e.bill.devices for e in events if isinstance(e, AttemptEnded)}
    assert billed == {trial.name: trial.resources.gpus or 1 for trial in trials}


@pytest.mark.parametrize("launch", ["local"], indirect=True)
def test_a_trial_waits_until_a_gpu_is_free(launch: Any) -> None:
    trials = [make_trial("first", 9.0, gpus=0.75), make_trial("second", 1.0, gpus=0.5)]
    told = [(type(e), e.name) for e in launch(trials, at_once=2, gpus=["GPU-a"]) if not isinstance(e, Tick)]
    first, second = (trial.name for trial in trials)
    assert told.index((TrialStarted, second)) > told.index((TrialEnded, first))


@pytest.mark.parametrize("launch", ["ray"], indirect=True)
def test_a_lost_actor_costs_one_attempt(launch: Any) -> None:
    trials = [make_trial("unlucky"), make_trial("fine")]
    events = launch(trials, {"unlucky": (ACTOR_GONE, FINISH)}, at_once=2)
    assert {e.state for e in events if isinstance(e, TrialEnded)} == {TrialState.FINISHED}
    kinds = [e.outcome.failure.kind for e in events if isinstance(e, AttemptEnded) and e.outcome.failure]
    assert kinds == [FailureKind.PREEMPTED]
    told = [(type(e), e.name) for e in events if isinstance(e, TrialLost | TrialWentOn)]
    assert told == [(TrialLost, trials[0].name), (TrialWentOn, trials[0].name)]


@pytest.mark.parametrize("launch", ["ray"], indirect=True)
def test_an_actor_that_is_lost_every_time_fails_its_trial_alone(launch: Any) -> None:
    trials = [make_trial("doomed"), make_trial("fine")]
    events = launch(trials, {"doomed": (ACTOR_GONE,)}, at_once=2, retries=1)
    states = {e.name.split("/")[3]: e.state for e in events if isinstance(e, TrialEnded)}
    assert states == {"doomed": TrialState.FAILED, "fine": TrialState.FINISHED}
    assert len(orders_of(launch.place.sweep_directory, trials[0].name)) == 2


@pytest.mark.parametrize("launch", ["local", "ray"], indirect=True)
def test_a_slot_with_a_faulty_gpu_gets_no_more_trials(launch: Any, tmp_path: Path) -> None:
    """The first of two: the other one takes up its trial, and those that come later."""
    trials = [make_trial(f"t{place}", 10.0 - place) for place in range(4)]
    script = {trial.spec.task.name: (FAULT,) for trial in trials}
    events = launch(trials, script, at_once=2, faulty=tmp_path / "faulty")
    assert Counter(e.state for e in events if isinstance(e, TrialEnded)) == {TrialState.FINISHED: 4}
    assert Counter(e.name for e in events if isinstance(e, TrialStarted)) == Counter(t.name for t in trials)
    failures = [e.outcome.failure for e in events if isinstance(e, AttemptEnded)]
    assert [failure.kind for failure in failures if failure is not None] == [FailureKind.DEVICE]


@pytest.mark.parametrize("launch", ["local"], indirect=True)
def test_a_faulty_gpu_is_withdrawn_and_the_last_one_ends_the_launch_in_words(
    launch: Any, tmp_path: Path
) -> None:
    trials = [make_trial(f"t{place}", 10.0 - place, gpus=1) for place in range(3)]
    script = {trial.spec.task.name: (FAULT,) for trial in trials}
    events = launch(trials, script, at_once=2, gpus=["GPU-a", "GPU-b"], faulty=tmp_path / "faulty")
    assert Counter(e.state for e in events if isinstance(e, TrialEnded)) == {TrialState.FINISHED: 3}
    again = [make_trial("alone", gpus=1), make_trial("behind", 1.0, gpus=1)]
    script = {"alone": (FAULT,)}
    with pytest.raises(LaunchError, match=r"(?s)0 of 1 GPUs are left: GPU-a failed .*continues from here"):
        launch(again, script, gpus=["GPU-a"], faulty=tmp_path / "faulty-too")


def test_trials_of_different_sizes_share_the_cores(launch: Any) -> None:
    trials = [make_trial("wide", 9.0, cpus=2), make_trial("narrow", 5.0), make_trial("wide-too", 3.0, cpus=2)]
    events = launch(trials, at_once=2)
    assert sorted(e.name for e in events if isinstance(e, TrialEnded)) == sorted(t.name for t in trials)
    wide = orders_of(launch.place.sweep_directory, trials[0].name)[0]
    assert wide.resources.cpus == 2


def test_trials_of_different_sizes_begin_in_their_order(launch: Any) -> None:
    """Whatever is free: a narrow trial does not keep a wide one waiting for ever. The two narrow ones behind
    it begin at the same time, and either is heard of first."""
    cpus = [1, 2, 1, 1]
    trials = [make_trial(f"t{place}", 10.0 - place, cpus=wide) for place, wide in enumerate(cpus)]
    events = launch(trials, at_once=6)
    started = [e.name for e in events if isinstance(e, TrialStarted)]
    assert [*started[:2], *sorted(started[2:])] == [trial.name for trial in trials]


def test_a_wide_trial_is_billed_for_all_its_cores(launch: Any) -> None:
    (event,) = [e for e in launch([make_trial("wide", cpus=2)]) if isinstance(e, AttemptEnded)]
    assert event.bill.devices == 2


def test_once_held_no_trial_begins_and_those_at_work_come_to_their_end(launch: Any) -> None:
    trials = [make_trial(f"t{place}", 10.0 - place) for place in range(6)]

    def any_ended() -> bool:
        return any(isinstance(event, AttemptEnded) for event in launch.events)

    events = launch(trials, hold=any_ended)
    ended = Counter(event.state for event in events if isinstance(event, TrialEnded))
    started = [event.name for event in events if isinstance(event, TrialStarted)]
    assert ended[TrialState.FAILED] == 0
    assert ended[TrialState.FINISHED] == len(started) < 4
    assert ended[TrialState.UNFINISHED] == 6 - len(started)
    left = {event.name for event in events if isinstance(event, TrialEnded)} - set(started)
    assert not any(attempt_directories(launch.place.sweep_directory, name) for name in left)


def test_held_from_the_start_nothing_begins(launch: Any) -> None:
    events = launch([make_trial("one"), make_trial("two")], hold=lambda: True)
    assert [type(event) for event in events if not isinstance(event, Tick | DashboardReady)] == [
        TrialEnded
    ] * 2
    assert {event.state for event in events if isinstance(event, TrialEnded)} == {TrialState.UNFINISHED}


def test_each_start_is_told_before_the_next_one_is_decided(launch: Any) -> None:
    """Else a budget for one trial begins as many as there are places. Of two that may begin at once either is
    the first."""
    trials = [make_trial(f"t{place}", 10.0 - place) for place in range(4)]

    def any_started() -> bool:
        return any(isinstance(event, TrialStarted) for event in launch.events)

    events = launch(trials, at_once=2, hold=any_started)
    [started] = [event.name for event in events if isinstance(event, TrialStarted)]
    assert started in {trial.name for trial in trials[:2]}
    assert Counter(e.state for e in events if isinstance(e, TrialEnded)) == {
        TrialState.FINISHED: 1,
        TrialState.UNFINISHED: 3,
    }
