"""Directories, orders, bills and outcomes of attempts."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from execution_fakes import make_outcome, make_trial

from orchestrator.contracts import layout
from orchestrator.contracts.exit_codes import LOST_A_PEER
from orchestrator.contracts.outcome import (
    Bill,
    Failure,
    Outcome,
    PhaseEvent,
    StartEvent,
    StepEvent,
)
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from orchestrator.execution.attempt_end import abandon_attempt, close_attempt
from orchestrator.execution.attempt_records import open_orders, outcomes_since, read_outcome
from orchestrator.execution.attempts import checkpoint_to_resume, open_attempt
from orchestrator.execution.exit_reasons import Ending, out_of_memory_kills
from orchestrator.execution.launcher import TrialOrder, Workplace
from workers.runtime.records import is_superseded, write_outcome

KILLED = Ending(code=-signal.SIGKILL)
OUT_OF_MEMORY = Ending(code=-signal.SIGKILL, out_of_memory=True)


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(
        tmp_path / "sweep", cache_dir=tmp_path / "cache", data_dir=tmp_path / "data", checkpoint_seconds=7
    )


def checkpoint(order: AttemptOrder, name: str) -> str:
    path = Path(order.directory) / layout.CHECKPOINTS / name
    path.mkdir(parents=True)
    return str(path)


def test_an_order_says_all_that_the_worker_needs(place: Workplace) -> None:
    trial = make_trial("a", cpus=3)
    order = open_attempt(place, trial, now=12.0)
    read = AttemptOrder.model_validate_json((Path(order.directory) / layout.ORDER).read_bytes())
    assert read == order
    assert Path(order.directory) == layout.attempt_directory(place.sweep_directory, trial.name, 1)
    assert (order.trial, order.attempt, order.ordered_at) == (trial.spec, 1, 12.0)
    assert (order.data_dir, order.cache_dir) == (str(place.data_dir), str(place.cache_dir))
    assert (order.resources.cpus, order.checkpoint_seconds) == (3, 7)


def test_attempt_numbers_are_never_used_twice(place: Workplace) -> None:
    trial = make_trial("a")
    layout.attempt_directory(place.sweep_directory, trial.name, 4).mkdir(parents=True)
    assert [open_attempt(place, trial, now=1.0).attempt for _ in range(2)] == [5, 6]


def test_resumes_from_the_complete_checkpoint_with_most_steps(place: Workplace) -> None:
    trial = make_trial("a")
    first = open_attempt(place, trial, now=1.0)
    checkpoint(first, "step-9")
    newest = checkpoint(first, "step-100")
    checkpoint(first, "step-200.tmp")
    second = open_attempt(place, trial, now=2.0)
    checkpoint(second, "step-20")
    assert open_attempt(place, trial, now=3.0).resume_from == newest


def test_never_resumes_from_another_fingerprint(place: Workplace) -> None:
    before = open_attempt(place, make_trial("a", fingerprint="f" * 16), now=1.0)
    checkpoint(before, "step-100")
    trial = make_trial("a")
    own = open_attempt(place, trial, now=2.0)
    assert own.resume_from is None
    mine = checkpoint(own, "step-5")
    assert checkpoint_to_resume(Path(own.directory).parent, trial.spec.fingerprint) == mine


def test_an_unreadable_order_gives_no_checkpoint(place: Workplace) -> None:
    trial = make_trial("a")
    first = open_attempt(place, trial, now=1.0)
    checkpoint(first, "step-1")
    (Path(first.directory) / layout.ORDER).write_text("{cut")
    assert open_attempt(place, trial, now=2.0).resume_from is None


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (KILLED, FailureKind.PREEMPTED),
        (Ending(code=-signal.SIGTERM), FailureKind.PREEMPTED),
        (Ending(code=None), FailureKind.PREEMPTED),
        (Ending(code=-signal.SIGSEGV), FailureKind.BUG),
        (Ending(code=0), FailureKind.BUG),
        (Ending(code=1), FailureKind.BUG),
        (Ending(code=-signal.SIGKILL, timed_out=True), FailureKind.TIMEOUT),
        (Ending(code=-signal.SIGKILL, out_of_memory=True), FailureKind.OUT_OF_MEMORY),
    ],
)
def test_a_child_without_an_outcome_gets_one(place: Workplace, ending: Ending, kind: FailureKind) -> None:
    order = open_attempt(place, make_trial("a", cpus=2), now=10.0)
    outcome, bill = close_attempt(order, ending, now=25.0)
    assert outcome.failure is not None
    assert (outcome.state, outcome.failure.kind, outcome.ended_at) == ("failed", kind, 25.0)
    assert (bill.allocated_at, bill.released_at, bill.devices, bill.device_type) == (10.0, 25.0, 2, "cpu")
    directory = Path(order.directory)
    assert Outcome.model_validate_json((directory / layout.OUTCOME).read_bytes()) == outcome
    assert Bill.model_validate_json((directory / layout.BILL).read_bytes()) == bill


def test_the_outcome_on_behalf_says_how_far_the_child_came(place: Workplace) -> None:
    order = open_attempt(place, make_trial("a"), now=10.0)
    events = [
        StartEvent(at=11, attempt=1, resumed_from_step=40),
        PhaseEvent(at=12, phase=Phase.LOAD),
        PhaseEvent(at=13, phase=Phase.TRAIN),
        StepEvent(at=14, step=50, planned_steps=90, loss=1.0, learning_rate=0.1, tokens=7),
    ]
    lines = [event.model_dump_json() for event in events]
    (Path(order.directory) / layout.EVENTS).write_text("\n".join(lines) + '\n{"event": "ph')
    outcome, _ = close_attempt(order, KILLED, now=25.0)
    assert outcome.failure is not None
    assert (outcome.failure.phase, outcome.steps, outcome.resumed_from_step) == (Phase.TRAIN, 50, 40)


@pytest.mark.parametrize(
    ("told", "kind", "message"),
    [
        (Failure(kind=FailureKind.BAD_INPUT, phase=Phase.START, message="no route"), "BAD_INPUT", "no route"),
        (
            Failure(kind=FailureKind.BUG, phase=Phase.TRAIN, message="DistBackendError"),
            "BUG",
            "the processes of the trial lost each other (DistBackendError)",
        ),
        (None, "BUG", "the processes of the trial lost each other, and none says why"),
    ],
)
def test_ranks_that_lost_each_other_say_how_they_noticed(
    place: Workplace, told: Failure | None, kind: str, message: str
) -> None:
    """A lost node, or a rank with a reason of its own, ends otherwise."""
    order = open_attempt(place, make_trial("a"), 1.0)
    if told is not None:
        layout.lost_peer(Path(order.directory), 1).write_text(told.model_dump_json())
    failure = close_attempt(order, Ending(LOST_A_PEER), 2.0)[0].failure
    assert failure is not None
    assert (failure.kind, failure.message) == (kind, message)


def test_gpus_that_lost_each_other_in_training_are_tried_elsewhere(place: Workplace) -> None:
    order = open_attempt(place, make_trial("a", gpus=1), 1.0)
    told = Failure(kind=FailureKind.BUG, phase=Phase.TRAIN, message="DistBackendError")
    layout.lost_peer(Path(order.directory), 1).write_text(told.model_dump_json())
    failure = close_attempt(order, Ending(LOST_A_PEER), 2.0)[0].failure
    assert failure is not None
    assert failure.kind is FailureKind.DEVICE


@pytest.mark.parametrize("end", ["finished", "failed", "interrupted"])
def test_what_any_node_printed_stays_only_where_the_attempt_failed(place: Workplace, end: str) -> None:
    order = open_attempt(place, make_trial("a"), now=1.0)
    directory = Path(order.directory)
    for rank in (0, 8):  # 8: of another node
        layout.output_log(directory, rank).parent.mkdir(exist_ok=True)
        layout.output_log(directory, rank).write_text("a sentence of a note")
    if end == "interrupted":
        abandon_attempt(order, now=9.0)
    else:
        if end == "finished":
            write_outcome(directory / layout.OUTCOME, make_outcome(order))
        close_attempt(order, KILLED, now=9.0)
    assert (directory / layout.SENSITIVE).exists() == (end == "failed")


def test_the_outcome_of_the_child_stands(place: Workplace) -> None:
    order = open_attempt(place, make_trial("a"), now=10.0)
    own = make_outcome(order, value=0.75)
    (Path(order.directory) / layout.OUTCOME).write_text(own.model_dump_json())
    outcome, bill = close_attempt(order, KILLED, now=25.0)
    assert outcome == own
    assert bill.released_at == 25.0


def test_an_outcome_that_is_none_is_a_bug_and_is_replaced(place: Workplace) -> None:
    order = open_attempt(place, make_trial("a"), now=10.0)
    (Path(order.directory) / layout.OUTCOME).write_text('{"secret": "a patient"}')
    outcome, _ = close_attempt(order, Ending(code=0), now=25.0)
    assert outcome.failure is not None
    assert outcome.failure.kind is FailureKind.BUG
    assert "patient" not in (Path(order.directory) / layout.OUTCOME).read_text()


def test_a_gpu_is_billed_by_name_and_never_as_a_core(place: Workplace) -> None:
    trial = make_trial("a", cpus=4, gpus=2)
    _, named = close_attempt(open_attempt(place, trial, now=1.0), KILLED, now=2.0, gpu="NVIDIA T4")
    _, unnamed = close_attempt(open_attempt(place, trial, now=1.0), KILLED, now=2.0)
    assert (named.device_type, named.devices) == ("NVIDIA T4", 2)
    assert unnamed.device_type == "unknown GPU"


def test_a_clock_that_jumps_back_makes_no_negative_bill(place: Workplace) -> None:
    _, bill = close_attempt(open_attempt(place, make_trial("a"), now=10.0), KILLED, now=4.0)
    assert bill.released_at == bill.allocated_at


def test_an_abandoned_attempt_has_a_bill_and_no_outcome(place: Workplace) -> None:
    trial = make_trial("a")
    order = open_attempt(place, trial, now=10.0)
    assert open_orders(place, trial.name, before=0) == [order]
    abandon_attempt(order, now=11.0)
    assert open_orders(place, trial.name, before=0) == []
    assert outcomes_since(place, trial.name, before=0) == []


def test_outcomes_since_leaves_out_earlier_launches(place: Workplace) -> None:
    trial = make_trial("a")
    for now in (1.0, 2.0, 3.0):
        close_attempt(open_attempt(place, trial, now), KILLED, now)
    assert [outcome.attempt for outcome in outcomes_since(place, trial.name, before=1)] == [2, 3]


def ran_out_of_memory(
    place: Workplace, trial: TrialOrder, ending: Ending = OUT_OF_MEMORY, phase: Phase = Phase.TRAIN
) -> AttemptOrder:
    order = open_attempt(place, trial, now=1.0)
    entered = PhaseEvent(at=1.0, phase=phase)
    (Path(order.directory) / layout.EVENTS).write_text(entered.model_dump_json() + "\n")
    close_attempt(order, ending, now=2.0)
    return order


def test_each_attempt_that_ran_out_of_memory_halves_the_pass_of_the_next(place: Workplace) -> None:
    trial = make_trial("a")
    sizes = [ran_out_of_memory(place, trial).micro_batch_size for _ in range(7)]
    assert sizes == [None, 16, 8, 4, 2, 1, 1]


def test_what_ran_out_of_memory_is_halved_and_nothing_else(place: Workplace) -> None:
    trial = make_trial("a")
    phases = (Phase.EVALUATE, Phase.TRAIN, Phase.TEST)
    orders = [ran_out_of_memory(place, trial, phase=phase) for phase in phases]
    orders.append(open_attempt(place, trial, now=3.0))
    sizes = [(order.pass_size, order.evaluation_size) for order in orders]
    assert sizes == [(32, 64), (32, 32), (16, 32), (16, 16)]
    outcome = read_outcome(Path(orders[2].directory))
    assert outcome is not None
    assert outcome.failure is not None
    assert "memory ran out scoring 32 examples a forward pass, after 64" in outcome.failure.message


def test_ranks_halve_their_own_part_of_the_batch(place: Workplace) -> None:
    trial = replace(make_trial("a"), resources=Resources(cpus=8, processes=8))
    assert [ran_out_of_memory(place, trial).pass_size for _ in range(4)] == [4, 2, 1, 1]


def test_a_pass_is_a_divisor_of_the_batch(place: Workplace) -> None:
    trial = make_trial("a")
    recipe = trial.spec.recipe.model_copy(update={"batch_size": 18, "micro_batch_size": 9})
    trial = replace(trial, spec=trial.spec.model_copy(update={"recipe": recipe}))
    assert [ran_out_of_memory(place, trial).pass_size for _ in range(3)] == [9, 3, 1]


def test_a_pass_stays_small_after_another_failure_and_in_the_next_launch(place: Workplace) -> None:
    trial = make_trial("a")
    ran_out_of_memory(place, trial)
    assert ran_out_of_memory(place, trial, KILLED).micro_batch_size == 16
    assert open_attempt(place, trial, now=9.0).micro_batch_size == 16


def test_passes_stay_whole_where_smaller_ones_would_not_help(place: Workplace) -> None:
    trial = make_trial("a")
    ran_out_of_memory(place, make_trial("a", fingerprint="f" * 16))
    close_attempt(open_attempt(place, trial, now=1.0), OUT_OF_MEMORY, now=2.0)  # before it loaded anything
    assert open_attempt(place, trial, now=3.0).micro_batch_size is None


def test_the_outcome_of_a_killed_child_says_which_passes_were_tried(place: Workplace) -> None:
    trial = make_trial("a")
    last = [ran_out_of_memory(place, trial) for _ in range(6)][-1]
    outcome = read_outcome(Path(last.directory))
    assert outcome is not None
    assert outcome.failure is not None
    assert outcome.micro_batch_size == 1
    assert "with 1 of 32 examples a forward pass, after 32, 16, 8, 4, 2:" in outcome.failure.message


@pytest.mark.parametrize(
    ("groups", "file", "content"),
    [
        ("0::/pod/x", "sys/fs/cgroup/pod/x/memory.events", "low 0\noom 9\noom_kill 4\n"),
        ("0::/pod/x", "sys/fs/cgroup/memory.events", "oom_kill 4\noom_group_kill 0\n"),
        ("5:cpu:/\n4:memory:/a\n0::/", "sys/fs/cgroup/memory/a/memory.oom_control", "oom_kill 4\n"),
    ],
)
def test_reads_how_often_memory_ran_out(tmp_path: Path, groups: str, file: str, content: str) -> None:
    for path, text in ((tmp_path / "proc/self/cgroup", groups), (tmp_path / file, content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert out_of_memory_kills(tmp_path) == 4


def test_says_nothing_where_the_kernel_does_not(tmp_path: Path) -> None:
    assert out_of_memory_kills(tmp_path) is None


def test_the_first_to_close_an_attempt_wins(place: Workplace) -> None:
    """A machine that was cut off comes back, and its child has finished: what the driver wrote stands."""
    order = open_attempt(place, make_trial("a"), now=1.0)
    lost, bill = close_attempt(order, Ending(code=None), now=60.0)
    assert not write_outcome(Path(order.directory) / layout.OUTCOME, make_outcome(order))
    late, late_bill = close_attempt(order, Ending(code=0), now=90.0)
    assert (late, late_bill) == (lost, bill)
    assert read_outcome(Path(order.directory)) == lost
    assert Bill.model_validate_json((Path(order.directory) / layout.BILL).read_bytes()) == bill
    assert sorted(path.name for path in Path(order.directory).iterdir()) == sorted(
        [layout.ORDER, layout.OUTCOME, layout.BILL]
    )


def test_what_a_child_wrote_before_it_was_lost_stands(place: Workplace) -> None:
    order = open_attempt(place, make_trial("a"), now=1.0)
    assert write_outcome(Path(order.directory) / layout.OUTCOME, make_outcome(order))
    assert close_attempt(order, Ending(code=None), now=60.0)[0].state == "finished"


def test_an_attempt_is_superseded_once_it_is_closed_or_another_has_begun(place: Workplace) -> None:
    first = open_attempt(place, make_trial("a"), now=1.0)
    assert not is_superseded(Path(first.directory))
    second = open_attempt(place, make_trial("a"), now=2.0)
    assert is_superseded(Path(first.directory))
    assert not is_superseded(Path(second.directory))
    close_attempt(second, Ending(code=None), now=60.0)
    assert is_superseded(Path(second.directory))
