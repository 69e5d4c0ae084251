"""Trials that train to a budget: of steps, or of seconds on a clock of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from stopped_attempts import run_until

import workers.train
from workers import checkpoint_writer
from workers.checkpoint import saved
from workers.metering.meter import Meter
from workers.runtime.attempt import run_attempt

STEP_SECONDS, OTHER_SECONDS = 3.0, 1000.0
RECIPE = {"train_seconds": 100, "evaluations": 4, "warmup_ratio": 0.25}


@dataclass
class Clock:
    """Training steps take 3 seconds of its time, an evaluation or a checkpoint takes 1000."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds

    def slow(self, work: Callable[..., Any], seconds: float) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.seconds += seconds
            return work(*args, **kwargs)

        return timed


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(
        workers.train, "optimiser_step", clock.slow(workers.train.optimiser_step, STEP_SECONDS)
    )
    monkeypatch.setattr(workers.train, "evaluate", clock.slow(workers.train.evaluate, OTHER_SECONDS))
    monkeypatch.setattr(checkpoint_writer, "snapshot", clock.slow(checkpoint_writer.snapshot, OTHER_SECONDS))
    return clock


def test_seconds_are_those_of_training_steps_and_the_schedule_follows_them(lab, clock, events_of):
    order = lab.order(recipe=RECIPE)
    records = run_until(order, None, Meter(clock))
    progress = records.progress
    assert (progress.step, progress.train_seconds) == (34, 102.0)  # overrun by less than a step
    assert records.planned_steps is None
    assert clock.seconds > 4 * OTHER_SECONDS
    events = events_of(order)
    evaluations = [(e.step, e.train_seconds) for e in events if e.event == "evaluation"]
    assert evaluations == [(9, 27.0), (17, 51.0), (25, 75.0), (34, 102.0)]
    steps = [event for event in events if event.event == "step"]
    assert {event.planned_steps for event in steps} == {None}
    rates = {event.step: event.learning_rate for event in steps}
    assert rates[9] == pytest.approx(3e-3 * 24 / 25)  # of the step that began at 24 seconds, in the warm-up
    assert rates[34] == pytest.approx(3e-3 * 1 / 75)  # of the one that began at 99
    assert records.scores.metrics


def test_copying_the_best_weights_counts_as_evaluation(lab, clock, monkeypatch):
    without = run_until(lab.order(recipe=RECIPE), None, Meter(clock))
    monkeypatch.setattr(
        workers.train, "clone_weights", clock.slow(workers.train.clone_weights, OTHER_SECONDS)
    )
    records = run_until(lab.order(recipe=RECIPE), None, Meter(clock))
    assert records.progress.train_seconds == without.progress.train_seconds
    assert records.progress.step == without.progress.step


def test_a_resumed_trial_spends_its_seconds_once(lab, clock):
    whole = run_until(lab.order(recipe=RECIPE), None, Meter(clock)).progress
    broken = lab.order(recipe=RECIPE)
    first = run_until(broken, 20, Meter(clock)).progress
    assert first.train_seconds == 60.0
    checkpoint = saved(broken.parent / "checkpoint")[-1]
    again = run_until(lab.order(recipe=RECIPE, resume_from=str(checkpoint)), None, Meter(clock)).progress
    for name in ("step", "train_seconds", "tokens", "curve", "best_step", "best_metrics"):
        assert getattr(again, name) == getattr(whole, name), name


def test_a_trial_that_was_stopped_when_all_was_spent_trains_no_further(lab, clock):
    broken = lab.order(recipe=RECIPE)
    run_until(broken, 34, Meter(clock))
    checkpoint = saved(broken.parent / "checkpoint")[-1]
    records = run_until(lab.order(recipe=RECIPE, resume_from=str(checkpoint)), None, Meter(clock))
    assert records.progress.step == 34
    assert records.scores.metrics


def test_less_than_a_step_is_a_step_and_an_evaluation(lab, clock, events_of):
    order = lab.order(recipe={"train_seconds": 0.5})
    assert run_until(order, None, Meter(clock)).progress.step == 1
    assert [event.step for event in events_of(order) if event.event == "evaluation"] == [1]


def test_steps_repeat_epochs_and_spread_the_evaluations(lab, outcome_of, events_of):
    order = lab.order(recipe={"steps": 16, "evaluations": 3})
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.steps == outcome.planned_steps == 16
    assert outcome.epochs == pytest.approx(16 / 6)
    assert [event.step for event in events_of(order) if event.event == "evaluation"] == [6, 11, 16]
