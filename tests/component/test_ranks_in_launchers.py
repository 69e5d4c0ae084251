"""Trials of several processes and nodes under the launchers, with real training."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys

import pytest

from orchestrator.contracts import layout
from orchestrator.contracts.outcome import Event, Outcome, read_event
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


def trials(lab, still, *wanted: Resources) -> list[TrialOrder]:
    found = []
    for seed, resources in enumerate(wanted):
        order = AttemptOrder.model_validate_json(lab.order("lora", backbone=still).read_bytes())
        found.append(TrialOrder(order.trial.model_copy(update={"seed": seed}), resources, 1.0))
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


def test_ray_places_ranks_and_nodes_and_bills_all_of_them(lab, still, place, ray_cluster):
    launcher = RayLauncher(place, RetryPolicy(0))
    orders = trials(lab, still, RANKS, NODES)
    found = ran(launcher, orders)
    assert [found[n].bill.devices for n in range(2)] == [2, 2]
    assert [found[n].outcome.device.spread for n in range(2)] == ["2 processes", "2 processes, 2 nodes"]
    assert {found[n].outcome.steps for n in range(2)} == {12}


# In a process of its own, with a cluster of four cores: the one that tests share has two.
LAUNCH = """
import pickle, sys
from pathlib import Path
from orchestrator.execution.ray.launcher import RayLauncher
from orchestrator.execution.retries import RetryPolicy
place, orders = pickle.loads(Path(sys.argv[1]).read_bytes())
RayLauncher(place, RetryPolicy(0), cpus=4).run(orders, lambda event: None)
"""


def test_ranks_inside_ray_learn_as_one_process_does(lab, still, place, tmp_path):
    """The same optimiser steps, however many processes share them, and however small the passes are that the
    place asks for."""
    orders = []
    for count, passes in ((1, None), (2, None), (4, None), (2, 1)):
        order = AttemptOrder.model_validate_json(lab.order("lora", backbone=still).read_bytes())
        recipe = order.trial.recipe.model_copy(update={"evaluations_per_epoch": 6})
        cell = order.trial.cell.model_copy(update={"method": f"ranks-{count}-{passes}"})
        trial = order.trial.model_copy(update={"recipe": recipe, "cell": cell})
        orders.append(TrialOrder(trial, Resources(processes=count, cpus=count, micro_batch_size=passes), 1.0))
    (tmp_path / "launch").write_bytes(pickle.dumps((place, orders)))
    subprocess.run([sys.executable, "-c", LAUNCH, str(tmp_path / "launch")], check=True)
    found = [attempt_of(place, order) for order in orders]
    curves = [[event.loss for event in events if event.event == "step"] for _, events in found]
    assert len(curves[0]) == 12
    for several in curves[1:]:
        assert several == pytest.approx(curves[0], rel=2e-4)
    assert [outcome.device.count for outcome, _ in found] == [1, 2, 4, 2]
    assert [outcome.micro_batch_size for outcome, _ in found] == [8, 4, 2, 1]


def attempt_of(place: Workplace, order: TrialOrder) -> tuple[Outcome, list[Event]]:
    [(_, attempt)] = layout.attempts(layout.trial_directory(place.sweep_directory, order.name))
    events = [read_event(line) for line in (attempt / layout.EVENTS).read_bytes().splitlines()]
    return Outcome.model_validate_json((attempt / layout.OUTCOME).read_bytes()), events
