"""Ray's own scheduler on the overlays' clusters: which pods does a sweep start?"""

from __future__ import annotations

from types import ModuleType

import pytest
from golden_overlays import template

from orchestrator.cluster.capacity import groups, node_kinds
from orchestrator.cluster.checks import scheduling
from orchestrator.cluster.checks.scheduling import Demand
from orchestrator.contracts.resources import Resources
from orchestrator.planning.packing import at_once


@pytest.fixture(scope="module")
def autoscaler() -> ModuleType:
    """Ray's code is loaded once."""
    scheduling.node_types(template("local-cpu"))
    return scheduling


Waiting = list[tuple[int, Resources]]  # how many trials, and what each is given


def given(cpus: int, gpus: float = 0, device: str | None = None, nodes: int = 1) -> Resources:
    processes = int(gpus) if gpus > 1 else 1
    return Resources(cpus=cpus, gpus=gpus, processes=processes, nodes=nodes, device=device)


def demands(waiting: Waiting) -> list[Demand]:
    """As the launcher asks Ray for them."""
    from orchestrator.execution.ray.tune import placement

    found = []
    for count, trial in waiting:
        asked = placement(trial)._bound.arguments
        selectors = asked.get("bundle_label_selector") or [{}]
        assert all(selector == selectors[0] for selector in selectors)
        labels = tuple(selectors[0].items())
        assert asked["strategy"] == "PACK"  # which asks nothing further of the scheduler
        found.append(Demand(tuple(asked["bundles"]), count, labels))
    return found


L4, A100, A100_40 = "nvidia-l4", "nvidia-a100-80gb", "nvidia-a100-40gb"
# overlay, what waits, pods that start by group, trials that are left
TABLE: list[tuple[str, Waiting, dict[str, int], int]] = [
    ("local-cpu", [(2, given(1))], {"cpu": 1}, 0),
    ("local-cpu", [(2, given(2))], {"cpu": 2}, 0),
    ("local-cpu", [(108, given(1))], {"cpu": 2}, 104),
    ("local-cpu", [(1, given(4))], {}, 1),
    ("local-cpu", [(1, given(1, 1))], {}, 1),
    ("single-gpu", [(9, given(4, 1))], {"gpu": 1}, 8),
    ("single-gpu", [(4, given(1, 0.25))], {"gpu": 1}, 0),
    ("single-gpu", [(1, given(1, 1, L4))], {}, 1),  # it does not say that it is one
    # Any GPU. Spot first, by its priority; on-demand when it is full.
    ("gke", [(3, given(4, 1))], {"l4-spot": 3}, 0),
    ("gke", [(20, given(4, 1))], {"l4": 4, "l4-spot": 16}, 0),
    ("gke", [(8, given(1, 0.25))], {"l4-spot": 2}, 0),
    # More cores a GPU than an L4's pod has.
    ("gke", [(3, given(8, 1))], {"a100": 3}, 0),
    # A kind of GPU, whole or in part.
    ("gke", [(2, given(4, 1, A100))], {"a100": 2}, 0),
    ("gke", [(20, given(4, 1, L4))], {"l4": 4, "l4-spot": 16}, 0),
    ("gke", [(8, given(1, 0.25, A100))], {"a100": 2}, 0),
    ("gke", [(1, given(1, 1, A100_40))], {}, 1),
    ("eks", [(1, given(1, 1, A100_40)), (1, given(1, 1, L4))], {"a100": 1, "l4-spot": 1}, 0),
    ("eks", [(1, given(1, 1, A100))], {}, 1),
    # Several devices in one pod, and in several pods.
    ("gke", [(4, given(8, 2))], {"a100x8": 1}, 0),
    ("gke", [(1, given(16, 16, A100, nodes=2))], {"a100x8": 2}, 0),
    ("gke", [(1, given(16, 16))], {}, 1),
    # A sweep of small and large trials.
    ("gke", [(3, given(4, 1)), (2, given(8, 4))], {"a100x8": 1, "l4-spot": 3}, 0),
    ("gke", [(3, given(4, 1, L4)), (2, given(4, 1, A100))], {"a100": 2, "l4-spot": 3}, 0),
    ("eks", [(3, given(4, 1))], {"l4-spot": 3}, 0),
    # Fixed size: the pods are there before the sweep asks.
    ("onprem", [(8, given(8, 1, A100))], {"a100x4": 2}, 0),
    ("onprem", [], {"a100x4": 2}, 0),
]


@pytest.mark.parametrize(("name", "waiting", "pods", "left"), TABLE)
def test_the_scheduler_starts_what_the_trials_need(
    autoscaler: ModuleType, name: str, waiting: Waiting, pods: dict[str, int], left: int
) -> None:
    started = autoscaler.pods_started(template(name), demands(waiting))
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
        ("local-cpu", given(1)),
        ("local-cpu", given(2)),
        ("single-gpu", given(1, 0.25)),
        ("gke", given(4, 1)),
        ("gke", given(8, 2)),
        ("gke", given(2, 0.5)),
        ("gke", given(2, 0.5, A100)),
        ("gke", given(2, 1, L4)),
        ("gke", given(16, 16, A100, nodes=2)),
        ("gke", given(4, 4, A100, nodes=2)),
        ("gke", given(4, 2, nodes=2)),
        ("onprem", given(8, 4, A100, nodes=4)),
        ("eks", given(8, 2, A100_40)),
        ("onprem", given(8, 1, A100)),
    ],
)
def test_our_count_of_trials_at_once_is_what_ray_can_place(
    autoscaler: ModuleType, name: str, size: Resources
) -> None:
    """As many fit, and one more does not."""
    job = template(name)
    most = at_once(node_kinds(groups(job.spec["rayClusterSpec"])), size)
    left = [autoscaler.pods_started(job, demands([(n, size)])).left for n in (most, most + 1)]
    assert left == [0, 1]
