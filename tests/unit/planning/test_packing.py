"""Which trials are at work at once, and in which order they begin."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.capacity import NodeKind
from orchestrator.contracts.resources import Resources
from orchestrator.planning.packing import TrialQueue, at_once

L4, A100 = "nvidia-l4", "nvidia-a100-80gb"
# As the gke overlay.
GKE = (
    NodeKind(nodes=8, cpus=6, gpus=1, device=L4),
    NodeKind(nodes=8, cpus=10, gpus=1, device=A100),
    NodeKind(nodes=2, cpus=88, gpus=8, device=A100),
    NodeKind(nodes=16, cpus=6, gpus=1, device=L4),
)


def trial(cpus: int = 1, gpus: float = 0, device: str | None = None, nodes: int = 1) -> Resources:
    processes = int(gpus) if gpus > 1 else 1
    return Resources(cpus=cpus, gpus=gpus, processes=processes, nodes=nodes, device=device)


@pytest.mark.parametrize(
    ("size", "most"),
    [
        (trial(), 8 * 6 + 8 * 10 + 2 * 88 + 16 * 6),
        (trial(4, 1), 8 + 8 + 2 * 8 + 16),
        (trial(4, 1, L4), 24),
        (trial(1, 0.25, L4), 24 * 4),
        (trial(2, 0.3, A100), 8 * 3 + 2 * 24),
        (trial(8, 1), 8 + 2 * 8),  # more cores than an L4's node has
        (trial(8, 8), 2),
        (trial(8, 8, L4), 0),
        (trial(16, 16, nodes=2), 1),
        (trial(4, 4, A100, nodes=2), 4),
        (trial(4, 4, A100, nodes=4), (8 + 16) // 4),
        (trial(24, 24, nodes=3), 0),
        (trial(16, 16), 0),
        (trial(1, 1, "nvidia-t4"), 0),
    ],
)
def test_how_many_of_a_size_fit(size: Resources, most: int) -> None:
    assert at_once(GKE, size) == most
    if most:
        assert TrialQueue([size] * (most + 3), GKE).begin_together() == most


def test_a_large_trial_throttles_no_small_one() -> None:
    """Six trials of eight GPUs, two of which fit, before sixty on L4s."""
    sweep = [trial(8, 8, A100)] * 6 + [trial(4, 1, L4)] * 60
    assert TrialQueue(sweep, GKE).begin_together() == 2 + 24
    assert [TrialQueue(sweep, GKE, at_most=n).begin_together() for n in (1, 10)] == [1, 10]


def test_who_waits_for_a_kind_of_node_is_not_passed_there() -> None:
    """Small trials on A100s would keep the whole nodes from ever being free."""
    large, small = trial(8, 8, A100), trial(1, 1, A100)
    line = TrialQueue([large] * 3 + [small] * 30, GKE)
    begun = [line.next() for _ in range(11)]
    assert begun == [0, 1, *range(3, 11), None]  # those on the nodes that no large one can use
    line.ended(3)
    assert [line.next(), line.next()] == [11, None]
    line.ended(0)
    assert [line.next(), line.next()] == [2, None]


def test_whole_gpus_are_not_made_of_halves() -> None:
    kinds = (NodeKind(nodes=1, cpus=8, gpus=2),)
    half, whole = trial(1, 0.5), trial(1, 1)
    line = TrialQueue([half, half, half, whole], kinds)
    assert [line.next() for _ in range(4)] == [0, 1, 2, None]
    line.ended(0)  # half of one GPU and half of the other are free
    assert line.next() is None
    line.ended(1)
    assert line.next() == 3


def test_cores_are_taken_where_there_is_no_gpu() -> None:
    kinds = (NodeKind(nodes=1, cpus=4, gpus=1), NodeKind(nodes=1, cpus=4))
    assert TrialQueue([trial(2), trial(2), trial(4, 1)], kinds).begin_together() == 3


def test_what_never_fits_begins_alone_as_the_nodes_may_grow() -> None:
    line = TrialQueue([trial(64), trial(1), trial(1)], (NodeKind(nodes=1, cpus=1),))
    assert [line.next(), line.next()] == [1, None]
    line.ended(1)
    assert [line.next(), line.next()] == [2, None]
    line.ended(2)
    assert line.next() == 0
    assert line.empty


def test_a_cluster_may_have_millions_of_nodes() -> None:
    kinds = (NodeKind(nodes=2**31 - 1, cpus=4),)
    assert TrialQueue([trial(3)] * 100, kinds).begin_together() == 100
    assert at_once(kinds, trial(3)) == 2**31 - 1


_SIZES = [trial(), trial(2), trial(1, 0.25), trial(1, 0.5, L4), trial(2, 1, A100), trial(4, 4, nodes=2)]
_KINDS = st.lists(
    st.builds(
        NodeKind,
        nodes=st.integers(1, 3),
        cpus=st.integers(1, 5),
        gpus=st.integers(0, 4),
        device=st.sampled_from([None, L4, A100]),
    ),
    min_size=1,
    max_size=3,
)


@given(sizes=st.lists(st.sampled_from(_SIZES), max_size=30), kinds=_KINDS, seed=st.randoms())
def test_all_begin_once_and_never_more_than_there_is(
    sizes: Sequence[Resources], kinds: Sequence[NodeKind], seed: object
) -> None:
    sizes = [size for size in sizes if at_once(kinds, size)]
    line, ends, begun, now = TrialQueue(sizes, kinds), list[tuple[float, int]](), list[int](), 0.0
    while not line.empty or ends:
        while (place := line.next()) is not None:
            begun.append(place)
            heapq.heappush(ends, (now + seed.random(), place))  # type: ignore[attr-defined]
            at_work = [sizes[p] for _, p in ends]
            assert sum(s.cpus for s in at_work) <= sum(k.nodes * k.cpus for k in kinds)
            assert sum(s.gpus for s in at_work) <= sum(k.nodes * k.gpus for k in kinds)
            for device in (L4, A100):
                has = sum(k.nodes * k.gpus for k in kinds if k.device == device)
                assert sum(s.gpus for s in at_work if s.device == device) <= has
        assert ends, "nobody is at work, and nobody begins"
        now, ended = heapq.heappop(ends)
        line.ended(ended)
    assert sorted(begun) == list(range(len(sizes)))
    for size in set(sizes):
        assert [p for p in begun if sizes[p] == size] == [p for p, s in enumerate(sizes) if s == size]
