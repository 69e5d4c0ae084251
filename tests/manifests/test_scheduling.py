"""Ray's own scheduler on the overlays' clusters: which pods does a sweep start?"""

from __future__ import annotations

from types import ModuleType

import pytest
from golden_overlays import template

from orchestrator.cluster.capacity import at_once, groups
from orchestrator.cluster.checks import scheduling
from orchestrator.cluster.checks.scheduling import Demand
from orchestrator.contracts.trial import Resources

A100 = (("ray.io/accelerator-type", "A100"),)


@pytest.fixture(scope="module")
def autoscaler() -> ModuleType:
    """Ray's code is loaded once."""
    scheduling.node_types(template("local-cpu"))
    return scheduling


def trial(cpus: float, gpus: float = 0.0) -> dict[str, float]:
    return {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}


# overlay, what waits, pods that start by group, trials that are left
TABLE = [
    ("local-cpu", [Demand((trial(1),), 2)], {"cpu": 1}, 0),
    ("local-cpu", [Demand((trial(2),), 2)], {"cpu": 2}, 0),
    ("local-cpu", [Demand((trial(1),), 108)], {"cpu": 2}, 104),
    ("local-cpu", [Demand((trial(4),))], {}, 1),
    ("local-cpu", [Demand((trial(1, 1),))], {}, 1),
    ("single-gpu", [Demand((trial(4, 1),), 9)], {"gpu": 1}, 8),
    ("single-gpu", [Demand((trial(1, 0.25),), 4)], {"gpu": 1}, 0),
    # Spot first, by its priority; on-demand when it is full.
    ("gke", [Demand((trial(4, 1),), 3)], {"l4-spot": 3}, 0),
    ("gke", [Demand((trial(4, 1),), 20)], {"l4": 4, "l4-spot": 16}, 0),
    ("gke", [Demand((trial(1, 0.25),), 8)], {"l4-spot": 2}, 0),
    # More cores a GPU than an L4's pod has.
    ("gke", [Demand((trial(8, 1),), 3)], {"a100": 3}, 0),
    # By label.
    ("gke", [Demand((trial(4, 1),), 2, labels=A100)], {"a100": 2}, 0),
    # Several devices in one pod, and several pods.
    ("gke", [Demand((trial(8, 2),), 4)], {"a100x8": 1}, 0),
    ("gke", [Demand((trial(8, 1),) * 8, strategy="STRICT_PACK")], {"a100x8": 1}, 0),
    ("gke", [Demand((trial(4, 1),) * 4, strategy="STRICT_SPREAD")], {"l4-spot": 4}, 0),
    ("gke", [Demand((trial(8, 16),))], {}, 1),
    # A sweep of small and large trials.
    ("gke", [Demand((trial(4, 1),), 3), Demand((trial(8, 4),), 2)], {"a100x8": 1, "l4-spot": 3}, 0),
    ("eks", [Demand((trial(4, 1),), 3)], {"l4-spot": 3}, 0),
    # Fixed size: the pods are there before the sweep asks.
    ("onprem", [Demand((trial(8, 1),), 8)], {"a100x4": 2}, 0),
    ("onprem", [], {"a100x4": 2}, 0),
]


@pytest.mark.parametrize(("name", "demands", "pods", "left"), TABLE)
def test_the_scheduler_starts_what_the_trials_need(
    autoscaler: ModuleType, name: str, demands: list[Demand], pods: dict[str, int], left: int
) -> None:
    started = autoscaler.pods_started(template(name), demands)
    assert (started.pods, started.left) == (pods, left)


@pytest.mark.parametrize("name", ["local-cpu", "single-gpu", "gke", "eks"])
def test_nothing_starts_for_nothing(autoscaler: ModuleType, name: str) -> None:
    assert autoscaler.pods_started(template(name), []).pods == {}


def test_ray_sees_what_a_pod_holds(autoscaler: ModuleType) -> None:
    types = autoscaler.node_types(template("gke"))
    assert types["headgroup"]["resources"]["CPU"] == 0
    assert types["a100x8"]["resources"] == {"CPU": 88, "GPU": 8, "memory": 800 * 1024**3}
    assert types["l4-spot"]["labels"]["ray.io/market-type"] == "spot"
    assert types["l4-spot"]["priority"] == 10
    assert types["l4-spot"]["idle_timeout_s"] == 60.0


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("local-cpu", Resources(cpus=1)),
        ("local-cpu", Resources(cpus=2)),
        ("single-gpu", Resources(cpus=1, gpus=0.25)),
        ("gke", Resources(cpus=4, gpus=1)),
        ("gke", Resources(cpus=8, gpus=2)),
        ("gke", Resources(cpus=2, gpus=0.5)),
        ("onprem", Resources(cpus=8, gpus=1)),
    ],
)
def test_our_count_of_trials_at_once_is_what_ray_can_place(
    autoscaler: ModuleType, name: str, size: Resources
) -> None:
    """As many fit, and one more does not."""
    job = template(name)
    most = at_once(groups(job.spec["rayClusterSpec"]), size)
    left = [
        autoscaler.pods_started(job, [Demand((trial(size.cpus, size.gpus),), n)]).left
        for n in (most, most + 1)
    ]
    assert left == [0, 1]
