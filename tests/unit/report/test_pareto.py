"""The frontier and the statistics under it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from orchestrator.report.statistics.pareto import as_costs, best, cheapest_close, pareto_mask
from orchestrator.report.statistics.summary import between, summarise

# Few distinct values, so that ties are common.
figure = st.integers(1, 6).map(float)
missing = st.sampled_from([None, math.nan, math.inf])
results = st.lists(st.tuples(figure | missing, figure | missing), max_size=12)
tables = st.integers(1, 4).flatmap(
    lambda objectives: st.lists(
        st.lists(
            figure | st.sampled_from([math.nan, math.inf, -math.inf]),
            min_size=objectives,
            max_size=objectives,
        ),
        min_size=1,
        max_size=12,
    )
)


def on_frontier(results):
    return pareto_mask(as_costs(results)).tolist()


def brute_force(costs):
    complete = [all(map(math.isfinite, row)) for row in costs]

    def dominates(left, right):
        return all(a <= b for a, b in zip(left, right, strict=True)) and left != right

    return [
        ok and not any(fine and dominates(other, row) for other, fine in zip(costs, complete, strict=True))
        for row, ok in zip(costs, complete, strict=True)
    ]


@given(tables)
def test_the_mask_is_the_definition_of_dominance_on_any_number_of_objectives(table):
    assert pareto_mask(np.array(table)).tolist() == brute_force(table)


@given(tables)
def test_many_draws_at_once_have_the_mask_of_each(table):
    costs = np.array(table)
    draws = np.stack([costs, -costs, costs[::-1]])
    assert pareto_mask(draws).tolist() == [brute_force(draw.tolist()) for draw in draws]


@given(results)
def test_it_is_exactly_what_nothing_dominates(found):
    complete = [r for r in found if all(f is not None and math.isfinite(f) for f in r)]

    def dominated(one):
        return any(o[0] <= one[0] and o[1] >= one[1] and o != one for o in complete)

    assert on_frontier(found) == [r in complete and not dominated(r) for r in found]


@given(results)
def test_removing_a_dominated_result_changes_nothing(found):
    flags = on_frontier(found)
    for index, flag in enumerate(flags):
        if not flag:
            rest = found[:index] + found[index + 1 :]
            assert on_frontier(rest) == flags[:index] + flags[index + 1 :]


def test_exact_ties_are_kept():
    assert on_frontier([(1.0, 0.5), (1.0, 0.5), (2.0, 0.5), (1.0, 0.4)]) == [True, True, False, False]


def test_a_missing_figure_is_never_on_it():
    assert on_frontier([(None, 0.9), (0.1, None), (math.nan, 0.9), (0.1, math.nan)]) == [False] * 4
    assert best([(None, 0.9)]) is None
    assert cheapest_close([]) is None


def test_the_cheapest_within_a_point_of_the_best():
    found = [(10.0, 0.80), (5.0, 0.79), (1.0, 0.7899), (7.0, 0.795)]
    assert best(found) == 0
    assert cheapest_close(found) == 1  # exactly one point below still counts


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_the_interval_is_the_t_interval_of_scipy(values):
    summary = summarise(values)
    assert summary is not None
    if summary.sd <= 1e-12:
        assert summary.interval is None
        return
    assert summary.interval is not None
    assert summary.mean == pytest.approx(math.fsum(values) / len(values))
    if summary.sd and summary.sd > 1e-9:
        low, high = stats.t.interval(0.95, len(values) - 1, loc=summary.mean, scale=stats.sem(values))
        assert summary.interval == (pytest.approx(low), pytest.approx(high))


def test_one_value_has_no_spread_and_no_interval():
    summary = summarise([0.5])
    assert summary is not None
    assert (summary.n, summary.mean, summary.sd, summary.interval) == (1, 0.5, None, None)
    assert summarise([]) is None


def test_an_interval_never_leaves_what_the_figure_can_be():
    summary = summarise([0.9, 1.0], low=0.0, high=1.0)
    assert summary is not None
    assert summary.interval is not None
    assert 0 < summary.interval[0] < 0.95 < summary.interval[1] < 1


@pytest.mark.parametrize(("mean", "sd"), [(0.98, 0.014), (0.98, 0.025), (0.03, 0.02), (0.85, 0.01)])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_an_interval_near_an_end_of_the_scale_holds_the_mean_as_often_as_it_says(mean, sd, seeds):
    total = mean * (1 - mean) / sd**2 - 1
    drawn = np.random.default_rng(1).beta(mean * total, (1 - mean) * total, (2000, seeds))
    found = [summarise(values, low=0.0, high=1.0).interval for values in drawn.tolist()]
    assert 0.91 <= np.mean([low <= mean <= high for low, high in found]) <= 0.965


def test_an_interval_of_a_loss_is_that_of_its_seeds():
    assert between(-0.3, 0.5, -math.inf, math.inf) == (-0.8, pytest.approx(0.2))
