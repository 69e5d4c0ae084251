"""The GPUs of one machine, shared out to trials."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.execution.gpu_allotment import GpuAllotment

UUIDS = ("GPU-a", "GPU-b", "GPU-c")
SIZES = st.sampled_from([0, 0.125, 0.25, 0.5, 1, 2, 3])


def test_parts_fill_one_gpu_before_they_open_another() -> None:
    allotment = GpuAllotment(UUIDS)
    assert [allotment.take(gpus) for gpus in (0.5, 0.25, 0.5, 0.25)] == [
        ("GPU-a",),
        ("GPU-a",),
        ("GPU-b",),
        ("GPU-a",),
    ]
    assert allotment.take(2) is None
    assert allotment.take(1) == ("GPU-c",)


def test_eight_eighths_are_one_gpu() -> None:
    allotment = GpuAllotment(UUIDS[:1])
    assert [allotment.take(0.125) for _ in range(9)] == [("GPU-a",)] * 8 + [None]
    for _ in range(8):
        allotment.give_back(("GPU-a",), 0.125)
    assert allotment.take(1) == ("GPU-a",)


@given(st.lists(st.tuples(SIZES, st.booleans()), max_size=40))
def test_no_gpu_is_given_twice(steps: list[tuple[float, bool]]) -> None:
    """Each step asks for a size, after the oldest trial has ended where it says so."""
    allotment, running = GpuAllotment(UUIDS), list[tuple[float, tuple[str, ...]]]()
    for gpus, one_ends in steps:
        if one_ends and running:
            size, given_back = running.pop(0)
            allotment.give_back(given_back, size)
        got = allotment.take(gpus)
        if got is not None:
            running.append((gpus, got))
        load = Counter[str]()
        for size, uuids in running:
            assert len(set(uuids)) == (1 if 0 < size < 1 else size)
            load.update({uuid: size / len(uuids) for uuid in uuids})
        assert all(part <= 1 + 1e-9 for part in load.values())
