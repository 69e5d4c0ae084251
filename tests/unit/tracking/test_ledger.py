"""The ledger through its front door, on real files."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder

from orchestrator.contracts import layout
from orchestrator.contracts.files import write_atomically
from orchestrator.contracts.outcome import CheckpointEvent, StepEvent
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import FailureKind, Phase, Source, TrialState
from orchestrator.errors import HeldError, LedgerError
from orchestrator.storage.lease import EXPIRES_SECONDS
from orchestrator.tracking.events import curves, read_events
from orchestrator.tracking.ledger import Ledger

ONE = {"models": ["tiny"], "domains": ["general"], "methods": ["full"], "seeds": [11]}


@pytest.fixture
def built(tmp_path: Path) -> LedgerBuilder:
    return LedgerBuilder(tmp_path)


def test_a_sweep_reads_back_as_written(built):
    built.plan()
    assert built.ledger.sweep() == built.sweep


def test_a_forecast_under_the_key_of_earlier_versions_is_still_read(built):
    [trial] = built.plan(**ONE)
    path = built.ledger.directory / layout.SWEEP
    path.write_text(path.read_text().replace('"forecast_seconds": null', '"predicted_seconds": 80.0'))
    assert "predicted_seconds" in path.read_text()
    assert built.ledger.sweep().trials == (trial.model_copy(update={"forecast_seconds": 80.0}),)


def test_a_directory_without_a_sweep_says_what_to_do(tmp_path):
    with pytest.raises(LedgerError, match="frontier run"):
        Ledger(tmp_path / "nothing").sweep()
    assert Ledger(tmp_path / "nothing").history() == {}


@pytest.mark.parametrize(
    ("fates", "state"),
    [
        ([], TrialState.NEW),
        ([Fate()], TrialState.UNFINISHED),
        ([Fate(failure=FailureKind.BUG)], TrialState.FAILED),
        ([Fate(failure=FailureKind.PREEMPTED), Fate()], TrialState.UNFINISHED),
        ([Fate(), Fate(failure=FailureKind.DIVERGED)], TrialState.FAILED),
        ([Fate(failure=FailureKind.PREEMPTED), Fate(quality=0.5)], TrialState.FINISHED),
        ([Fate(quality=0.5, fingerprint="0" * 16)], TrialState.STALE),
        ([Fate(quality=0.5, fingerprint="0" * 16), Fate()], TrialState.UNFINISHED),
    ],
)
def test_states(built, fates, state):
    [trial] = built.plan(**ONE)
    for fate in fates:
        built.attempt(trial, fate)
    [record] = built.ledger.trials()
    assert record.state is state
    history = built.ledger.history()
    assert (history[trial.name].state(trial.fingerprint) if fates else TrialState.NEW) is state


def test_an_outcome_that_appears_later_is_seen_by_the_same_ledger(built):
    [trial] = built.plan(**ONE)
    path = built.attempt(trial, Fate(quality=0.5))
    content = (path / layout.OUTCOME).read_bytes()
    (path / layout.OUTCOME).unlink()
    assert built.ledger.trial(trial).state is TrialState.UNFINISHED
    (path / layout.OUTCOME).write_bytes(content)
    assert built.ledger.trial(trial).state is TrialState.FINISHED


def test_an_attempt_whose_order_was_never_written_is_left_out(built):
    [trial] = built.plan(**ONE)
    layout.attempt_directory(built.ledger.directory, trial.name, 1).mkdir(parents=True)
    assert built.ledger.trial(trial).state is TrialState.NEW
    assert built.ledger.history() == {}


def test_the_cost_of_a_preempted_and_resumed_trial(built):
    [trial] = built.plan(**ONE, resources=Resources(cpus=2))
    built.attempt(trial, Fate(seconds=50, failure=FailureKind.PREEMPTED, phases={Phase.TRAIN: 45}))
    built.attempt(
        trial,
        Fate(
            seconds=80,
            quality=0.5,
            phases={Phase.TRAIN: 75},
            inherited={Phase.TRAIN: 30},
            resumed_from_step=10,
        ),
    )
    [spending] = built.ledger.trial(trial).spending
    assert spending.device_type == "cpu"
    assert spending.billed == pytest.approx(2 * 130)
    assert spending.useful == pytest.approx(2 * 105)
    assert spending.overhead == pytest.approx(2 * 5)
    assert spending.wasted == spending.preempted == pytest.approx(2 * 20)
    assert spending.unexplained == pytest.approx(2 * (5 + 5))  # of both attempts
    assert spending.wasted == pytest.approx(2 * 20)
    history = built.ledger.history()[trial.name].by_fingerprint[trial.fingerprint]
    assert history.wall_seconds == pytest.approx(80 + 30)


def test_what_other_settings_cost_is_superseded(built):
    [trial] = built.plan(**ONE)
    built.attempt(trial, Fate(seconds=40, quality=0.5, fingerprint="0" * 16))
    built.attempt(trial, Fate(seconds=60, quality=0.6))
    [spending] = built.ledger.trial(trial).spending
    assert (spending.superseded, spending.billed) == (40, 100)
    assert spending.useful + spending.overhead + spending.wasted == 60


def test_a_trial_that_left_the_grid_is_superseded_and_no_longer_listed(built):
    gone = built.plan(**ONE)[0]
    built.finish_all()
    built.plan(**(ONE | {"methods": ["lora-r8"]}))
    assert [r.name for r in built.ledger.trials()] == [gone.name.replace("full", "lora-r8")]
    [removed] = built.ledger.removed()
    assert removed.name == gone.name
    assert removed.spending[0].superseded == removed.billed_device_seconds == 100


def test_without_a_bill_the_cost_is_estimated_from_the_order_to_the_last_sign_of_life(built):
    [trial] = built.plan(**ONE)
    built.attempt(trial, Fate(seconds=64, bill=False))
    record = built.ledger.trial(trial)
    [attempt] = record.attempts
    assert attempt.source is Source.ESTIMATED
    assert record.billed_device_seconds == pytest.approx(60.5)  # where the last event was
    assert attempt.phases == pytest.approx({Phase.START: 2.0, Phase.TRAIN: 58.5})  # its start is paid for
    assert record.spending[0].estimated == record.spending[0].unfinished == record.billed_device_seconds


def test_without_bill_and_events_the_cost_is_missing_not_zero(built):
    [trial] = built.plan(**ONE)
    built.attempt(trial, Fate(bill=False, events=False))
    [attempt] = built.ledger.trial(trial).attempts
    assert (attempt.source, attempt.billed_device_seconds) == (Source.MISSING, None)


def test_a_gpu_that_nobody_named_is_not_a_core(built):
    [trial] = built.plan(**ONE, resources=Resources(cpus=4, gpus=1))
    built.attempt(trial, Fate(bill=False))
    [attempt] = built.ledger.trial(trial).attempts
    assert attempt.device_type == "unknown GPU"
    assert attempt.devices == 1


def test_history_compares_with_the_newest_finished_spec(built):
    [trial] = built.plan(**ONE)
    built.attempt(trial, Fate(quality=0.5, fingerprint="0" * 16))
    built.attempt(trial, Fate(failure=FailureKind.DIVERGED))
    history = built.ledger.history()[trial.name]
    assert history.last is not None
    assert history.last.fingerprint == "0" * 16
    assert history.by_fingerprint[trial.fingerprint].failure is FailureKind.DIVERGED


def test_a_cut_last_event_is_left_out_and_a_foreign_line_is_an_error(built):
    [trial] = built.plan(**ONE)
    events = built.attempt(trial, Fate(quality=0.5)) / layout.EVENTS
    whole = events.read_bytes()
    events.write_bytes(whole[:-20])
    assert len(read_events(events)) == len(whole.splitlines()) - 1
    events.write_bytes(b'{"secret": "Mrs Example"}\n' + whole)
    with pytest.raises(LedgerError, match="line 1") as caught:
        read_events(events)
    assert "Mrs Example" not in str(caught.value)


def test_curves_leave_out_what_was_done_again(built):
    [trial] = built.plan(**ONE)
    built.attempt(trial, Fate())  # killed after step 30
    built.attempt(trial, Fate(quality=0.5, resumed_from_step=10))
    steps, evaluations = curves(built.ledger.trial(trial).current)
    assert [s.step for s in steps] == [e.step for e in evaluations] == [10, 20, 30]
    assert steps[0].at < 1_750_020_000 <= steps[1].at  # the first of attempt 1, the rest of attempt 2


def test_a_damaged_record_names_the_file_and_never_its_content(built):
    [trial] = built.plan(**ONE)
    path = built.attempt(trial, Fate(quality=0.5))
    (path / layout.OUTCOME).write_text('{"trial": "Mrs Example", "surprise": "Mrs Example"}')
    with pytest.raises(LedgerError, match=r"outcome\.json") as caught:
        list(built.ledger.trials())
    assert "Mrs Example" not in str(caught.value)


def test_a_second_driver_is_told_who_holds_the_sweep(built):
    built.plan(**ONE)
    program = "import sys\nfrom pathlib import Path\nfrom orchestrator.tracking.ledger import Ledger\n"
    program += "with Ledger(Path(sys.argv[1])).lock():\n    print('held', flush=True)\n    sys.stdin.read()\n"
    command = [sys.executable, "-c", program, str(built.ledger.directory)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(HeldError, match=f"process {holder.pid} on"), built.ledger.lock():
        pass
    began = time.monotonic()
    holder.kill()
    assert os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has taken note of it
    with built.ledger.lock():
        assert built.ledger.driver() == f"process {os.getpid()} on {socket.gethostname()}"
    assert built.ledger.driver() is None
    assert time.monotonic() - began < EXPIRES_SECONDS / 2  # whoever runs the command again does not wait
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()


def test_an_interrupted_write_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "sweep.json"
    write_atomically(path, "old")

    def full_disk(handle: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space") as failed:
        write_atomically(path, "new")
    assert failed.value.filename == str(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["sweep.json"]


def test_a_trial_that_did_not_finish_tells_how_much_its_checkpoint_holds(built):
    trial, whole = built.plan(**{**ONE, "seeds": [11, 12]})
    path = built.attempt(trial, Fate())
    events = [
        StepEvent(at=1.0, step=90, planned_steps=200, loss=1.0, learning_rate=1.0, tokens=1),
        CheckpointEvent(at=2.0, step=100),
        StepEvent(at=3.0, step=110, planned_steps=200, loss=1.0, learning_rate=1.0, tokens=1),
    ]
    with (path / layout.EVENTS).open("a") as file:
        file.writelines(f"{event.model_dump_json()}\n" for event in events)
    built.attempt(trial, Fate(failure=FailureKind.PREEMPTED, resumed_from_step=100))
    built.attempt(whole, Fate(quality=0.5))
    history = built.ledger.history()
    assert history[trial.name].done_share(trial.fingerprint) == 0.5
    assert history[trial.name].done_share("0" * 16) == 0.0
    assert history[whole.name].done_share(whole.fingerprint) == 0.0
