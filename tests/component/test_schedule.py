"""What a budget says of rate and evaluations, whatever it is counted in."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.recipe import Recipe
from workers.schedule import Budget

warmups = st.floats(0, 0.99)
either = st.one_of(
    st.builds(dict, steps=st.integers(1, 300)), st.builds(dict, train_seconds=st.floats(0.1, 1e4))
)
lasting = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=60)  # seconds of each step


def budget(epoch_steps: int = 7, **recipe: Any) -> Budget:
    return Budget.of(Recipe(**{"learning_rate": 0.5} | recipe), epoch_steps)


def carried_out(plan: Budget, lengths: list[float]) -> list[tuple[int, float]]:
    """(steps, seconds) at the start, and after each step, as the training loop goes; steps take `lengths`
    in turn."""
    spent = [(0, 0.0)]
    for seconds in itertools.cycle(lengths):
        if plan.share(*spent[-1]) >= 1:
            return spent
        spent.append((spent[-1][0] + 1, spent[-1][1] + seconds))
    raise AssertionError


def evaluated(plan: Budget, spent: list[tuple[int, float]]) -> list[int]:
    """The steps after which dev is scored."""
    pairs = itertools.pairwise(spent)
    return [b[0] for a, b in pairs if plan.evaluations_due(*b) > plan.evaluations_due(*a)]


def test_the_rate_is_that_of_the_customary_schedule():
    from transformers import get_linear_schedule_with_warmup

    plan = budget(steps=20, warmup_ratio=0.2)
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    theirs = get_linear_schedule_with_warmup(optimiser, 4, 20)
    for step in range(20):
        assert plan.rate(step, 0.0) == pytest.approx(theirs.get_last_lr()[0])
        optimiser.step()
        theirs.step()


@given(st.integers(1, 500), st.integers(1, 9), st.integers(1, 20))
def test_epochs_end_with_an_evaluation_each_and_spread_the_others(epoch_steps, epochs, wanted):
    plan = budget(epoch_steps, epochs=epochs, evaluations_per_epoch=wanted)
    spent = carried_out(plan, [1.0])
    assert len(spent) - 1 == plan.steps == epoch_steps * epochs
    found = evaluated(plan, spent)
    assert set(found) >= {epoch_steps * n for n in range(1, epochs + 1)}
    assert len(found) == epochs * min(epoch_steps, wanted)


@given(st.integers(1, 500), st.integers(1, 30))
def test_steps_are_repeated_epochs_with_evaluations_evenly_over_all(steps, wanted):
    plan = budget(steps=steps, evaluations=wanted)
    found = evaluated(plan, carried_out(plan, [1.0]))
    assert len(found) == min(steps, wanted)
    assert found[-1] == steps
    gaps = [b - a for a, b in itertools.pairwise([0, *found])]
    assert max(gaps) - min(gaps) <= 1


@given(st.floats(1e-2, 1e4), lasting, st.integers(1, 12))
def test_seconds_are_overrun_by_less_than_a_step_and_end_with_an_evaluation(limit, lengths, wanted):
    lengths = [max(length, limit / 500) for length in lengths]
    plan = budget(train_seconds=limit, evaluations=wanted)
    spent = carried_out(plan, lengths)
    assert spent[-2][1] < limit <= spent[-1][1]
    found = evaluated(plan, spent)
    assert found[-1] == spent[-1][0]
    assert len(found) <= wanted
    if max(lengths) < limit / wanted:
        assert len(found) == wanted


@given(either, warmups, lasting)
def test_share_rises_and_the_rate_goes_up_once_and_down_to_nothing(which, warmup, lengths):
    lengths = [max(length, which.get("train_seconds", 0.0) / 500) for length in lengths]
    plan = budget(warmup_ratio=warmup, **which)
    spent = carried_out(plan, lengths)
    shares = [plan.share(*at) for at in spent]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    rates = [plan.rate(*at) for at in spent]
    assert rates[-1] == 0.0
    assert all(0 <= rate <= 0.5 and math.isfinite(rate) for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_half_of_the_seconds_is_half_way_down_without_a_warm_up():
    plan = budget(train_seconds=100, warmup_ratio=0.2)
    assert [plan.rate(9, seconds) for seconds in (0, 10, 20, 60, 100, 130)] == pytest.approx(
        [0, 0.25, 0.5, 0.25, 0, 0]
    )


def test_a_budget_that_nobody_turned_into_seconds_is_not_mistaken_for_epochs():
    with pytest.raises(ValueError, match="train_seconds"):
        budget(money=3.0)


def test_a_constant_rate_is_that_of_transformers_and_stays_to_the_end() -> None:
    from transformers import get_constant_schedule_with_warmup

    plan = budget(steps=40, warmup_ratio=0.1, schedule="constant")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    theirs = get_constant_schedule_with_warmup(optimizer, 4)
    for step in range(40):
        assert plan.rate(step, 0.0) == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()
    timed = budget(train_seconds=100.0, warmup_ratio=0, schedule="constant")
    assert {timed.rate(0, seconds) for seconds in (0.0, 50.0, 100.0)} == {0.5}
