"""What a search tries next: the same, whatever was interrupted and in which order results came."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import examples

from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.tuning import Range, Tune
from orchestrator.planning.sampler import FIRST_ROUND, LATER_ROUNDS, draw, rounds

LORA: dict[str, Any] = {
    "learning_rate": {"low": 1e-5, "high": 1e-3, "log": True},
    "alpha_ratio": [0.3, 0.5, 1.0],
    "dropout": [0.1, 0.3, 0.5],
}


def tune(trials: int = 20, seed: int = 0, space: dict[str, Any] = LORA) -> Tune:
    return Tune.model_validate({"trials": trials, "seed": seed, "space": space})


def whole(search: Tune, results: list[float | None]) -> list[dict[str, Any]]:
    """All candidates that `results` lead to; a result for each, over and over."""
    drawn: list[dict[str, Any]] = []
    for _ in rounds(search):
        told = [results[number % len(results)] for number in range(len(drawn))]
        drawn += draw(search, Lora(), told)
    return drawn


SPACES = st.dictionaries(
    st.sampled_from(["learning_rate", "weight_decay", "rank", "alpha_ratio", "batch_size"]),
    st.one_of(
        st.builds(
            lambda low, factor, log: {"low": float(low), "high": float(low * factor), "log": log},
            st.integers(1, 8),
            st.integers(2, 9),
            st.booleans(),
        ),
        st.lists(st.integers(1, 64), min_size=2, max_size=4, unique=True),
    ),
    min_size=1,
    max_size=3,
)
RESULTS = st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=12)


@given(space=SPACES, results=RESULTS, trials=st.integers(1, 24), seed=st.integers(0, 2**32 - 1))
def test_every_candidate_lies_in_the_space_and_there_are_no_more_than_asked_for(
    space: dict[str, Any], results: list[float | None], trials: int, seed: int
) -> None:
    search = tune(trials, seed, space)
    found = whole(search, results)
    assert len(found) == sum(rounds(search)) <= trials
    for values in found:
        assert values.keys() == space.keys()
        for key, span in search.space.items():
            if isinstance(span, Range):
                assert span.low <= values[key] <= span.high
            else:
                assert values[key] in span
        assert all(isinstance(values[key], int) for key in ("rank", "batch_size") if key in values)


@settings(max_examples=examples(0.5))
@given(results=RESULTS, trials=st.integers(11, 24), more=st.integers(1, 10))
def test_a_longer_search_starts_like_the_shorter_one(
    results: list[float | None], trials: int, more: int
) -> None:
    found = whole(tune(trials), results)
    assert whole(tune(trials + more), results)[: len(found)] == found


def test_another_process_draws_the_same() -> None:
    told = [0.1, None, 0.7, 0.2, 0.5, 0.5, None, 0.3, 0.9, 0.6]
    code = (
        "from orchestrator.contracts.methods.low_rank import Lora\n"
        "from orchestrator.contracts.tuning import Tune\n"
        "from orchestrator.planning.sampler import draw\n"
        f"print(draw(Tune.model_validate({tune().model_dump()!r}), Lora(), {told!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(draw(tune(), Lora(), told))
    assert done.stderr == ""


def test_seeds_differ_and_so_do_rounds() -> None:
    first, other = draw(tune(seed=0), Lora(), []), draw(tune(seed=1), Lora(), [])
    assert len(first) == len(other) == FIRST_ROUND
    assert not [values for values in first if values in other]
    second = draw(tune(seed=0), Lora(), [0.5] * FIRST_ROUND)
    assert len(second) == LATER_ROUNDS
    assert not [values for values in second if values in first]


@pytest.mark.parametrize("good", [2e-5, 8e-4])
def test_later_rounds_go_where_earlier_ones_scored(good: float) -> None:
    """On average over seeds they lie nearer to the best learning rate than chance does."""
    space = {"learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}}
    near, chance = [], []
    for seed in range(30):
        first = draw(tune(seed=seed, space=space), Full(), [])
        told = [-abs(float(v["learning_rate"]) - good) for v in first]
        later = draw(tune(seed=seed, space=space), Full(), told)
        near += [abs(float(v["learning_rate"]) - good) for v in later]
        chance += [-quality for quality in told]
    assert sum(near) / len(near) < 0.9 * sum(chance) / len(chance)


def test_it_does_not_go_back_to_where_training_fails() -> None:
    space = {"learning_rate": {"low": 1e-5, "high": 1e-1, "log": True}}
    failed = drawn = 0
    for seed in range(30):
        search = tune(seed=seed, space=space)
        first = [float(v["learning_rate"]) for v in draw(search, Full(), [])]
        told = [None if rate > 1e-3 else 0.5 for rate in first]
        later = [float(v["learning_rate"]) for v in draw(search, Full(), told)]
        failed += sum(rate > 1e-3 for rate in later)
        drawn += len(later)
    assert failed < 0.42 * drawn  # by chance it would be half


def test_a_small_space_is_tried_whole() -> None:
    space = {"learning_rate": [1e-4, 1e-3], "rank": [4, 8]}
    assert draw(tune(4, space=space), Lora(), []) == [
        {"learning_rate": 1e-4, "rank": 4},
        {"learning_rate": 1e-4, "rank": 8},
        {"learning_rate": 1e-3, "rank": 4},
        {"learning_rate": 1e-3, "rank": 8},
    ]
    assert rounds(tune(20, space=space)) == [4]
    assert rounds(tune(3, space=space)) == [3]
