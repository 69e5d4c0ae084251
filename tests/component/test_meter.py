"""Phases are exclusive and leave no gap."""

from __future__ import annotations

import pytest

from orchestrator.contracts.vocabulary import Phase
from workers.meter import Meter, add_phases, peak_host_memory_bytes


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nested_phases_do_not_count_twice():
    clock, begun = Clock(), []
    meter = Meter(clock, began=97.0, on_phase=begun.append)
    meter.enter(Phase.TRAIN)
    clock.now = 110.0
    with meter.within(Phase.EVALUATE):
        clock.now = 114.0
    clock.now = 115.0
    assert meter.seconds() == {Phase.START: 3.0, Phase.TRAIN: 11.0, Phase.EVALUATE: 4.0}
    assert meter.elapsed() == 18.0
    assert begun == [Phase.TRAIN, Phase.EVALUATE, Phase.TRAIN]


def test_a_failure_stays_in_the_phase_that_it_happened_in():
    meter = Meter(Clock())
    with pytest.raises(KeyError), meter.within(Phase.CHECKPOINT):
        raise KeyError
    assert meter.phase is Phase.CHECKPOINT


def test_phases_of_two_attempts_add_up():
    assert add_phases({Phase.TRAIN: 1.0}, {Phase.TRAIN: 2.0, Phase.TEST: 4.0}) == {
        Phase.TRAIN: 3.0,
        Phase.TEST: 4.0,
    }


def test_peak_memory_is_that_of_this_process():
    assert 10**7 < peak_host_memory_bytes() < 10**11
