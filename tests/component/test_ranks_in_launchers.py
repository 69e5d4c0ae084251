"""Trials of several processes and nodes under the launchers, with real training."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from orchestrator.contracts import layout
from orchestrator.contracts.outcome import read_event
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.launcher import AttemptEnded, TrialEnded, TrialOrder, Workplace
from orchestrator.execution.local_launcher import LocalLauncher
from orchestrator.execution.ray.launcher import RayLauncher
from orchestrator.execution.retries import RetryPolicy
from workers.runtime.host import AttemptHost

RANKS = Resources(cpus=2, processes=2)
NODES = Resources(cpus=2, processes=2, nodes=2)


def trials(lab, still, *wanted: Resources, recipe: dict[str, Any] | None = None) -> list[TrialOrder]:
    """One trial with each of these resources, told apart by the name of their method."""
    found = []
    for place, resources in enumerate(wanted):
        path = lab.order("lora", backbone=still, recipe=recipe)
        trial = AttemptOrder.model_validate_json(path.read_bytes()).trial
        cell = trial.cell.model_copy(update={"method": f"lora-{place}"})
        found.append(TrialOrder(trial.model_copy(update={"cell": cell}), resources, 1.0))
    return found


def ran(launcher, orders) -> dict[int, AttemptEnded]:
    events = []
    launcher.run(orders, events.append)
    assert {e.state for e in events if isinstance(e, TrialEnded)} == {TrialState.FINISHED}
    attempts = {e.name: e for e in events if isinstance(e, AttemptEnded)}
    return {place: attempts[order.name] for place, order in enumerate(orders)}


def test_the_port_where_nodes_meet_is_taken_before_anybody_is_told():
    host = AttemptHost(threads=1)
    try:
        port = host.listen("127.0.0.1")
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("", port))
    finally:
        host.close()


@pytest.fixture
def place(lab, tmp_path) -> Workplace:
    return Workplace(tmp_path / "sweep", tmp_path / "cache", data_dir=lab.data)


def test_the_local_launcher_runs_ranks(lab, still, place):
    launcher = LocalLauncher(place, RetryPolicy(0), cpus=2)
    found = ran(launcher, trials(lab, still, RANKS))
    assert found[0].bill.devices == 2
    assert found[0].outcome.device.spread == "2 processes"


def test_ray_places_ranks_and_nodes_that_learn_as_one_process_does(lab, still, place, ray_cluster):
    """The same optimiser steps in one process, in two, in two on two nodes, and in two with passes as small
    as the place asks for; all of them are billed. `test_ranks` has four, without Ray."""
    alone, small = Resources(cpus=1), RANKS.model_copy(update={"micro_batch_size": 1})
    recipe = {"evaluations_per_epoch": 6}  # the loss is written down at each
    orders = trials(lab, still, alone, RANKS, NODES, small, recipe=recipe)
    found = ran(RayLauncher(place, RetryPolicy(0)), orders)
    assert [found[n].bill.devices for n in range(4)] == [1, 2, 2, 2]
    outcomes = [found[n].outcome for n in range(4)]
    spreads = ["", "2 processes", "2 processes, 2 nodes", "2 processes"]
    assert [outcome.device.spread for outcome in outcomes] == spreads
    assert [outcome.device.count for outcome in outcomes] == [1, 2, 2, 2]
    assert [outcome.micro_batch_size for outcome in outcomes] == [8, 4, 4, 1]
    one, *several = [curve_of(place, order) for order in orders]
    assert len(one) == 12
    for curve in several:
        assert curve == pytest.approx(one, rel=2e-4)


def curve_of(place: Workplace, order: TrialOrder) -> list[float]:
    [(_, attempt)] = layout.attempts(layout.trial_directory(place.sweep_directory, order.name))
    events = [read_event(line) for line in (attempt / layout.EVENTS).read_bytes().splitlines()]
    return [event.loss for event in events if event.event == "step"]
