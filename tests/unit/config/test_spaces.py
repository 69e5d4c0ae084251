"""What a search may try, and what a sweep file may say of it."""

from __future__ import annotations

from typing import Any

import pytest

RATE = {"low": 1e-5, "high": 1e-3, "log": True}


def lora(space: Any, **keys: Any) -> dict[str, Any]:
    return {"methods": ["full", {"name": "lora", "tune": {"space": space}, **keys}]}


@pytest.mark.parametrize(
    "space",
    [
        {"dropout": {"low": 0, "high": 0.5}},
        {"rank": {"low": 4, "high": 64, "log": True}, "alpha_ratio": [0.5, 1]},
        {"learning_rate": RATE, "batch_size": [8, 16], "warmup_ratio": [0, 0.1], "weight_decay": [0, 0.01]},
        {"rank_stabilised": [True, False], "max_grad_norm": {"low": 0.5, "high": 2}},
    ],
)
def test_how_a_method_learns_is_searched(load: Any, space: Any) -> None:
    assert [cell.tune is not None for cell in load(**lora(space)).grid.cells].count(True) == 8


@pytest.mark.parametrize(
    "key",
    [
        "epochs",
        "steps",
        "train_seconds",
        "money",
        "train_rows",
        "train_rows_per_class",
        "dev_rows",
        "evaluations",
        "max_length",
        "precision",
        "evaluations_per_epoch",
        "evaluation_batch_size",
        "stop_collapsed",
        "quantise",
    ],
)
def test_how_long_on_what_and_how_it_is_scored_is_not(problems: Any, key: str) -> None:
    [problem] = problems(**lora({key: [1, 2]}))
    assert problem.key == f"methods.1.tune.space.{key}"
    assert f"is not searched, got {key}" in problem.problem
    assert "a search takes: rank, alpha, alpha_ratio, dropout" in problem.fix
    assert "learning_rate" in problem.fix


@pytest.mark.parametrize(
    ("space", "key", "problem", "fix"),
    [
        ({"dropout": {"low": 0, "high": 0.5, "log": True}}, "dropout.low", "no 0", "drop log"),
        ({"dropout": {"low": 0.5, "high": 0.1}}, "dropout.low", "0.5 is not below high 0.1", "lower low"),
        ({"dropout": {"lo": 0.5, "high": 0.9, "low": 0.1}}, "dropout.lo", "unknown key", "'low'"),
        ({"dropout": 0.5}, "dropout", "a list of choices or a range, got 0.5", "[a, b], or a range"),
        (
            {"dropout": [[1], 0.1]},
            "dropout.0",
            "a number or a whole number or text or true or false",
            "one of",
        ),
        (
            {"dropout": ["high", 0.1]},
            "dropout",
            "should be a number, got 'high'",
            "values that the key takes",
        ),
        ({"droput": [0.1, 0.2]}, "droput", "nor a setting of 'lora'", "'dropout'"),
    ],
)
def test_a_mistake_in_a_space_makes_one_problem(
    problems: Any, space: Any, key: str, problem: str, fix: str
) -> None:
    [reported] = problems(**lora(space))
    assert reported.key == f"methods.1.tune.space.{key}"
    assert problem in reported.problem
    assert fix in reported.fix


@pytest.mark.parametrize(
    ("keys", "shared", "space", "told"),
    [
        ({"rank": [4, 8]}, {}, {"rank": [4, 16]}, "rank is set beside `tune` as well, got 4, 8"),
        ({"learning_rate": 1e-4}, {}, {"learning_rate": RATE}, "learning_rate is set"),
        ({}, {"batch_size": [8, 16]}, {"batch_size": [4, 32]}, "batch_size is set"),
        ({"alpha": [8, 16]}, {}, {"alpha_ratio": [0.5, 1]}, "alpha is set"),
    ],
)
def test_a_key_is_searched_or_set_but_not_both(
    problems: Any, keys: Any, shared: Any, space: Any, told: str
) -> None:
    [problem] = problems(
        **(lora(space, **keys) | {"axes": shared} | {"methods": lora(space, **keys)["methods"][1:]})
    )
    assert problem.key == f"methods.0.tune.space.{next(iter(space))}"
    assert told in problem.problem
    assert "one of the two places" in problem.fix


@pytest.mark.parametrize(("seed", "fine"), [(2**32 - 1, True), (2**32, False)])
def test_a_seed_is_one_that_every_library_takes(load: Any, problems: Any, seed: int, fine: bool) -> None:
    if fine:
        assert load(seeds=[seed]).config.seeds == (seed,)
    else:
        [problem] = problems(seeds=[seed])
        assert (problem.key, "4294967296" in problem.problem) == ("seeds.0", True)


def test_a_mistake_in_one_item_hides_none_in_the_next(problems: Any) -> None:
    broken = {"name": "full", "tune": {"space": {"learning_rate": {"low": "x", "high": 1}}}}
    found = problems(
        methods=[broken, {"name": "lora", "rnk": 4}, {"name": "lora", "tune": {"space": {"epochs": [1, 2]}}}]
    )
    assert [c.key for c in found] == [
        "methods.0.tune.space.learning_rate.low",
        "methods.1.rnk",
        "methods.2.tune.space.epochs",
    ]
