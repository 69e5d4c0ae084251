"""Trials of several processes and nodes under the launchers, with real training."""

from __future__ import annotations

import pytest

from orchestrator.contracts.trial import AttemptOrder, Resources
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.execution.launcher import AttemptEnded, TrialEnded, TrialOrder, Workplace
from orchestrator.execution.local_launcher import LocalLauncher
from orchestrator.execution.ray_launcher import RayLauncher
from orchestrator.execution.retries import RetryPolicy

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
