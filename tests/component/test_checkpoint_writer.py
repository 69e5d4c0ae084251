"""Checkpoints are written while training goes on, and take a twentieth of it at most."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from kept_methods import stirred

from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase
from workers import checkpoint_writer, train
from workers.checkpoint import Checkpoint, TrainProgress, clone_weights, saved, trained_weights
from workers.checkpoint_writer import CheckpointWriter
from workers.distributed.ranks import ALONE
from workers.distributed.sharding import ShardedState
from workers.metering.gauges import Gauges
from workers.metering.meter import Meter
from workers.runtime.attempt import run_attempt
from workers.runtime.records import EventLog
from workers.trial import run_trial


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


class Disk:
    """Writes what it is given, once it is let: `slow` seconds of the clock each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: Clock, slow: float = 0.0) -> None:
        self.free, self._write = Event(), checkpoint_writer.write
        self._clock, self._slow = clock, slow
        monkeypatch.setattr(checkpoint_writer, "write", self.write)
        self.free.set()

    def write(self, *arguments: Any) -> None:
        assert self.free.wait(60)
        self._clock.seconds += self._slow
        self._write(*arguments)


def writer_of(directory: Path, clock: Clock, written: list[int]) -> CheckpointWriter:
    return CheckpointWriter(directory, 30.0, clock, written.append)


def save(writer: CheckpointWriter, adapted: Any, step: int, optimiser: Any = None) -> None:
    sharded = ShardedState("none", full={} if optimiser is None else optimiser.state_dict())
    writer.save(adapted, sharded, None, TrainProgress("f", step=step), ALONE)


def test_the_next_checkpoint_waits_for_twenty_times_what_the_last_one_took(tmp_path, monkeypatch):
    clock, adapted = Clock(), stirred("bert", Lora(rank=2))
    disk = Disk(monkeypatch, clock, slow=40.0)
    disk.free.clear()
    with writer_of(tmp_path, clock, []) as writer:
        clock.seconds = 30.0
        assert writer.waited() == 1
        save(writer, adapted, 1)
        disk.free.set()
        writer.wait()
        clock.seconds = 30.0 + 20 * 40.0 - 1
        assert 0.99 < writer.waited() < 1
        clock.seconds += 1
        assert writer.waited() == 1


def test_training_goes_on_while_a_checkpoint_is_written_and_does_not_change_it(tmp_path, monkeypatch):
    clock, written = Clock(), []
    disk = Disk(monkeypatch, clock)
    adapted = stirred("bert", Lora(rank=2))
    optimiser = torch.optim.AdamW(trained_weights(adapted.model).values(), fused=True)
    for parameter in trained_weights(adapted.model).values():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    before, state = (
        clone_weights(trained_weights(adapted.model)),
        optimiser.state_dict()["state"][0]["exp_avg"].clone(),
    )
    disk.free.clear()
    with writer_of(tmp_path, clock, written) as writer:
        save(writer, adapted, 3, optimiser)
        clock.seconds = 1000.0
        assert (writer.waited(), written, saved(tmp_path)) == (0, [], [])
        optimiser.step()
        disk.free.set()
        writer.wait()
    found = Checkpoint(tmp_path / "step-3", "f")
    assert written == [3]
    assert all(torch.equal(found.weights[name], value) for name, value in before.items())
    other = torch.optim.AdamW(trained_weights(adapted.model).values(), fused=True)
    found.restore(adapted, other, ALONE)
    assert torch.equal(other.state_dict()["state"][0]["exp_avg"], state)
    assert not torch.equal(optimiser.state_dict()["state"][0]["exp_avg"], state)


def test_a_second_checkpoint_waits_for_the_first_and_the_end_for_the_last(tmp_path, monkeypatch):
    copied, written, taken = [], [], checkpoint_writer.snapshot

    def copying(*arguments: Any) -> Any:
        copied.append(list(written))
        return taken(*arguments)

    monkeypatch.setattr(checkpoint_writer, "snapshot", copying)
    adapted = stirred("bert", Lora(rank=2))
    with writer_of(tmp_path, Clock(), written) as writer:
        for step in (1, 2, 3):
            save(writer, adapted, step)
    assert copied == [[], [1], [1, 2]]
    assert written == [1, 2, 3]
    assert [place.name for place in saved(tmp_path)] == ["step-2", "step-3"]


def test_an_error_of_the_thread_is_raised_by_the_next_checkpoint_which_is_due_at_once(tmp_path, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint_writer, "save_file", full)
    adapted = stirred("bert", Lora(rank=2))
    with writer_of(tmp_path, Clock(), []) as writer:
        save(writer, adapted, 1)
        with pytest.raises(OSError, match="no space"):
            writer.wait()
        assert writer.waited() > 1
        with pytest.raises(OSError, match="no space"):
            save(writer, adapted, 2)


def test_an_attempt_whose_last_checkpoint_cannot_be_written_does_not_pass(lab, outcome_of, monkeypatch):
    original = checkpoint_writer.write

    def full(directory: Path, taken: Any) -> None:
        if taken.step == 12:  # the last one of two
            raise OSError("no space left on device")
        original(directory, taken)

    monkeypatch.setattr(checkpoint_writer, "write", full)
    order = lab.order(checkpoint_seconds=0)
    run_attempt(order)
    failure = outcome_of(order).failure
    assert (failure.kind, failure.phase, failure.message) == (FailureKind.BUG, Phase.CHECKPOINT, "OSError")
    assert [place.name for place in saved(order.parent / "checkpoint")] == ["step-6"]


class _Inline:
    """In place of the thread: written before training goes on."""

    def __init__(self, *_: Any) -> None: ...

    def submit(self, work: Any, *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*arguments))
        return done

    def shutdown(self) -> None: ...


def test_a_slow_disk_takes_a_twentieth_of_the_training(lab, events_of, monkeypatch):
    clock, step = Clock(), train.optimiser_step

    def timed(*arguments: Any) -> Any:
        clock.seconds += 3.0
        return step(*arguments)

    monkeypatch.setattr(train, "optimiser_step", timed)
    monkeypatch.setattr(checkpoint_writer, "ThreadPoolExecutor", _Inline)
    Disk(monkeypatch, clock, slow=3.0)
    path = lab.order(recipe={"steps": 60, "evaluations": 1})
    order = AttemptOrder.model_validate_json(path.read_bytes())
    meter, log = Meter(clock), EventLog(path.parent / "events.jsonl")
    list(run_trial(order, Gauges(order, meter), meter, log, lambda: False))
    log.close()
    assert [event.step for event in events_of(path) if event.event == "checkpoint"] == [10, 30, 50]
    phases = meter.seconds()
    assert phases[Phase.CHECKPOINT] == 9.0 == 0.05 * phases[Phase.TRAIN]
