"""The order of trials, and how long it makes the whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.planning import longest_first, seed_by_seed
from orchestrator.planning.forecast_range import makespans

DURATIONS = st.lists(st.floats(0, 1e6), max_size=40)


def makespan(durations: list[float], slots: int) -> float:
    [found] = makespans(np.array([durations], dtype=np.float64), slots)
    return float(found)


def test_longest_first_with_unknown_ones_leading() -> None:
    seconds = {"a": 1.0, "b": 3.0, "c": None, "d": 3.0}
    assert longest_first(list(seconds), seconds.__getitem__) == ["c", "b", "d", "a"]


def test_all_cells_of_a_seed_start_before_any_of_the_next_and_the_longest_of_each_first() -> None:
    trials = [("short", 34), ("short", 12), ("long", 34), ("long", 12), ("unknown", 12)]
    seconds = {"short": 1.0, "long": 9.0, "unknown": None}
    found = seed_by_seed(trials, lambda trial: trial[1], lambda trial: seconds[trial[0]])
    assert found == [("long", 34), ("short", 34), ("unknown", 12), ("long", 12), ("short", 12)]
    assert seed_by_seed(found, lambda trial: trial[1], lambda trial: seconds[trial[0]]) == found


def test_list_scheduling_of_a_known_case() -> None:
    assert makespan([5, 4, 3, 3, 3], 2) == 10  # 5+3, 4+3+3
    assert makespan([3, 3, 3, 4, 5], 2) == 11  # the long one last costs a second more
    assert makespan([], 3) == 0


@given(DURATIONS, st.integers(1, 50))
def test_it_lies_between_the_bounds_that_hold_for_any_schedule(durations: list[float], slots: int) -> None:
    found = makespan(sorted(durations, reverse=True), slots)
    least = max(sum(durations) / slots, max(durations, default=0))
    assert least <= found * (1 + 1e-9)
    assert found <= (4 / 3 * sum(durations) / slots + max(durations, default=0)) * (1 + 1e-9)


@given(DURATIONS)
def test_one_slot_takes_the_sum_and_enough_slots_the_longest(durations: list[float]) -> None:
    assert abs(makespan(durations, 1) - sum(durations)) <= 1e-6 * max(1, sum(durations))
    assert makespan(durations, len(durations) + 1) == max(durations, default=0)
