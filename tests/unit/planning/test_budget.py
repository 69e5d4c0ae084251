"""A budget is held against the forecast, and says what to leave out."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import ConfigError
from orchestrator.planning.budget import limits, options

TWO: dict[str, Any] = {
    "models": ["base", "distil"],
    "domains": ["general"],
    "methods": ["full", "lora"],
    "tasks": ["ncbi-disease"],
    "seeds": [1, 2, 3],
    "recipe": {"epochs": 4},
}


def test_without_a_budget_there_is_no_limit(plan: Any) -> None:
    assert limits(plan(**TWO)) == []


def test_what_was_spent_counts_with_what_is_ahead(plan: Any, finished: Any) -> None:
    keys = TWO | {"budget": {"core_hours": 5.0}}
    first = plan(**keys)
    done = finished(first, first.trials[:2], wall_seconds=3600.0, device_type="cpu", device_seconds=5400.0)
    [limit] = limits(plan(done, **keys))
    assert limit.unit == "core-hours"
    assert limit.spent == pytest.approx(2 * 1.5)
    assert limit.forecast == pytest.approx(3.0 + plan(done, **keys).forecast.device_hours)
    assert limit.is_over
    assert limit.device_hours_left == pytest.approx(2.0)


def test_money_is_the_hours_at_their_price(plan: Any) -> None:
    keys = TWO | {"prices": "aws-us-east-1", "budget": {"money": 1.0, "core_hours": 1000.0}}
    found = plan(**keys)
    hours, money = limits(found)
    assert (hours.key, money.key, money.unit) == ("core_hours", "money", "USD")
    assert money.forecast == pytest.approx(found.forecast.device_hours * 0.0425)
    assert money.device_hours_left == pytest.approx(1 / 0.0425)


@pytest.mark.parametrize(
    ("keys", "key", "words"),
    [
        ({"budget": {"gpu_hours": 1}}, "budget.gpu_hours", "core-hours"),
        ({"budget": {"core_hours": 1}, "resources": {"gpus": 1}}, "budget.core_hours", "GPU-hours"),
        ({"budget": {"money": 1}}, "budget.money", "no price"),
        ({"budget": {"money": 1}, "prices": "taylor-2024"}, "budget.money", "no price"),
    ],
)
def test_a_budget_of_what_is_not_billed_is_a_mistake(
    plan: Any, keys: dict[str, Any], key: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        limits(plan(**TWO | keys))
    [problem] = caught.value.problems
    assert problem.key == key
    assert words in problem.problem


def test_the_options_fit_and_give_up_as_little_as_can_be(plan: Any) -> None:
    whole = plan(**TWO).forecast.device_hours
    found = plan(**TWO | {"budget": {"core_hours": 0.7 * whole}})
    [limit] = limits(found)
    ways = options(found, limit)
    assert len(ways) == 3
    assert all(way.fits and way.forecast <= limit.limit for way in ways)
    assert [way.forecast for way in ways] == sorted((way.forecast for way in ways), reverse=True)
    by_change = {way.change: way.forecast for way in ways}
    assert by_change["seeds=1,2"] == pytest.approx(whole * 2 / 3)


def test_a_budget_that_the_forecast_just_fits_is_exceeded_by_many_such_sweeps(plan: Any) -> None:
    forecast = plan(**TWO).forecast
    low, high = forecast.device_hours_interval
    chances = []
    for hours in (0.99 * low, forecast.device_hours, 1.01 * high):
        [limit] = limits(plan(**TWO | {"budget": {"core_hours": hours}}))
        chances.append(limit.chance_of_more)
    assert chances[0] >= 0.9
    assert 0.1 < chances[1] < 0.9
    assert chances[2] == 0


def test_ways_that_do_not_suffice_say_so(plan: Any) -> None:
    found = plan(**TWO | {"budget": {"core_hours": 1e-6}})
    ways = options(found, limits(found)[0])
    assert ways
    assert not any(way.fits for way in ways)
    assert [way.forecast for way in ways] == sorted(way.forecast for way in ways)


def test_spot_is_a_way_out_of_a_budget_of_money(plan: Any) -> None:
    found = plan(**TWO | {"prices": "aws-us-east-1"})
    tight = plan(**TWO | {"prices": "aws-us-east-1", "budget": {"money": 0.6 * found.forecast.money}})
    ways = {way.change: way for way in options(tight, limits(tight)[0])}
    assert ways["market=spot"].forecast == pytest.approx(found.forecast.money * 0.0225 / 0.0425)


def test_a_search_may_try_fewer_candidates(plan: Any) -> None:
    space = {"learning_rate": {"low": 1e-5, "high": 1e-3}}
    keys = TWO | {
        "methods": [{"name": "full", "tune": {"trials": 40, "space": space}}],
        "models": ["base"],
        "seeds": [1],
        "recipe": {"epochs": 1},
    }
    whole = plan(**keys).forecast.device_hours
    found = plan(**keys | {"budget": {"core_hours": 0.8 * whole}})
    [way] = options(found, limits(found)[0])
    assert way.change.startswith("75% of the candidates")
    assert way.fits
