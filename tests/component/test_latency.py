"""What a finished model costs to serve, timed in the trial."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import pytest
import torch

from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import Phase, TaskKind
from workers.metering.latency import measure
from workers.runtime.attempt import run_attempt
from workers.runtime.devices import set_up_devices
from workers.tasks import Encoded


class Model(torch.nn.Module):
    """Answers with zeros, and notes the shapes that it was asked."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.asked = []

    def forward(self, input_ids, attention_mask):
        assert not self.training
        self.asked.append(tuple(input_ids.shape))
        return SimpleNamespace(logits=torch.zeros(len(input_ids), 2))


@pytest.fixture
def data():
    return Encoded(
        input_ids=[[1] * length for length in (2, 5, 3)], labels=[0, 1, 0], token_type_ids=None, truncated=0
    )


def test_one_at_a_time_and_in_batches_the_examples_come_round_in_their_order(data):
    model = Model()
    ticks = count()
    one, batch = measure(model, data, 2, 0, 1000.0, clock=lambda: float(next(ticks)))
    # A batch takes a second by this clock; the first three of each size warm up.
    assert (one.batch_size, one.examples_per_second, one.latency_seconds, one.batches) == (1, 1.0, 1.0, 3)
    assert (batch.batch_size, batch.examples_per_second, batch.latency_seconds) == (2, 2.0, 1.0)
    assert model.asked == [(1, 2), (1, 5), (1, 3)] * 2 + [(2, 5), (2, 3), (2, 5)] * 2


def test_fewer_examples_than_a_batch_make_a_smaller_one_and_none_make_none(data):
    assert [served.batch_size for served in measure(Model(), data, 64, 0, 1.0)] == [1, 3]
    assert (
        measure(Model(), Encoded(input_ids=[], labels=[], token_type_ids=None, truncated=0), 64, 0, 1.0) == ()
    )


@pytest.mark.parametrize(("trial_seconds", "batches"), [(1.0, 20), (5.0, 100), (15.0, 200)])
def test_timing_takes_a_small_share_of_a_short_trial(data, trial_seconds, batches):
    ticks = count()
    one, batch = measure(Model(), data, 2, 0, trial_seconds, clock=lambda: next(ticks) / 1000)
    assert one.batches == pytest.approx(batches, abs=1)
    assert batch.batches == pytest.approx(batches, abs=1)


@pytest.mark.parametrize("kind", [TaskKind.CLASSIFICATION, TaskKind.NER])
def test_a_trial_tells_it_in_a_phase_of_its_own_that_is_no_part_of_the_result(lab, outcome_of, kind):
    order = lab.order("lora", kind, recipe={"evaluation_batch_size": 8})
    run_attempt(order)
    outcome = outcome_of(order)
    assert [served.batch_size for served in outcome.serving] == [1, 8]
    assert all(served.examples_per_second > 0 for served in outcome.serving)
    assert outcome.phases[Phase.SERVE] > 0
    assert Phase.SERVE not in outcome.result_phases


def test_a_share_of_a_gpu_is_no_place_to_time_a_service(lab, outcome_of, monkeypatch):
    def on_the_cpu(resources, *more, **fields):
        return set_up_devices(Resources(), *more, **fields)

    monkeypatch.setattr("workers.trial.check_gpus", lambda resources: None)
    monkeypatch.setattr("workers.trial.set_up_devices", on_the_cpu)
    monkeypatch.setattr("workers.metering.gauges.Gauges.devices_settled", lambda gauges: None)
    for gpus, timed in ((0.5, False), (1.0, True)):
        order = lab.order("lora", resources=Resources(gpus=gpus))
        run_attempt(order)
        assert bool(outcome_of(order).serving) is timed
        assert (Phase.SERVE in outcome_of(order).phases) is timed


def test_a_candidate_of_a_search_is_not_served(lab, outcome_of):
    order = lab.order(candidate=1)
    run_attempt(order)
    assert outcome_of(order).serving == ()
    assert Phase.SERVE not in outcome_of(order).phases
