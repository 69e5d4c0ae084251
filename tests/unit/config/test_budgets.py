"""Budgets, shared axes and searches, as a sweep file gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import ResolvedSweep, load_sweep
from orchestrator.errors import ConfigError


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def _load(**keys: Any) -> ResolvedSweep:
        sweep = {
            "name": "s",
            "models": ["demo-tiny"],
            "domains": ["general"],
            "methods": ["full", "lora"],
            "tasks": ["demo-outcome"],
        }
        path = tmp_path / "s.yaml"
        path.write_text(yaml.safe_dump(sweep | keys))
        return load_sweep(path, [], cwd=tmp_path)

    return _load


def problems_of(load: Any, **keys: Any) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(**keys)
    return {c.key: c.problem for c in caught.value.problems}


def test_money_buys_device_hours_and_these_are_shared_by_the_devices_of_a_trial(load: Any) -> None:
    gpus = {"resources": {"cpus": 2, "gpus": 2, "processes": 2}, "prices": "taylor-2024"}
    price = load(**gpus).catalogue.prices["taylor-2024"].rate("NVIDIA A10G")
    [recipe, _] = [c.recipe for c in load(recipe={"money": price * 3}, **gpus).grid.cells]
    assert recipe.train_seconds == pytest.approx(3 * 3600 / 2)
    assert (recipe.money, recipe.device_hours) == (None, None)
    assert load(recipe={"device_hours": 3}, **gpus).grid.cells[0].recipe == recipe


def test_money_without_a_price_of_these_devices_is_a_mistake(load: Any) -> None:
    assert "names no price" in problems_of(load, recipe={"money": 5}, prices="taylor-2024")["recipe.money"]


def test_two_budgets_in_one_place_are_a_mistake_and_a_later_one_takes_the_place_of_an_earlier(
    load: Any,
) -> None:
    both = problems_of(load, recipe={"steps": 5, "train_seconds": 9})["recipe.steps"]
    assert "more than one budget is set: steps 5, train_seconds 9.0" in both
    rule = {"match": {"entry": "lora"}, "set": {"train_seconds": 9}}
    full, lora = (c.recipe for c in load(recipe={"steps": 5}, rules=[rule]).grid.cells)
    assert (full.steps, full.train_seconds) == (5, None)
    assert (lora.steps, lora.train_seconds) == (None, 9)


def test_axes_are_varied_under_every_method_unless_it_sets_the_key_itself(load: Any) -> None:
    methods = ["full", {"name": "lora", "rank": [4, 8]}, {"name": "ia3", "train_rows_per_class": 7}]
    found = load(methods=methods, axes={"train_rows_per_class": [16, 64]}).grid.cells
    assert {(c.cell.method, c.recipe.train_rows_per_class) for c in found} == {
        ("full-n16", 16),
        ("full-n64", 64),
        *((f"lora-r{r}-n{n}", n) for r in (4, 8) for n in (16, 64)),
        ("ia3", 7),
    }


def test_rows_per_class_are_refused_where_an_example_has_no_class(load: Any) -> None:
    found = load(tasks=["demo-outcome", "demo-ner"], axes={"train_rows_per_class": [16]})
    assert {c.cell.task for c in found.grid.cells} == {"demo-outcome"}
    assert {(r.cell.task, "train_rows" in r.reason) for r in found.grid.refused} == {("demo-ner", True)}


def test_class_weights_are_refused_where_an_example_has_no_class(load: Any) -> None:
    sweep = load(tasks=["demo-outcome", "demo-ner"], recipe={"class_weights": "balanced"})
    assert {c.cell.task for c in sweep.grid.cells} == {"demo-outcome"}
    assert {(r.cell.task, "class_weights" in r.reason) for r in sweep.grid.refused} == {("demo-ner", True)}


def test_alpha_is_given_once(load: Any) -> None:
    problems = problems_of(load, methods=[{"name": "lora", "alpha": 16, "alpha_ratio": 2}])
    assert "what alpha 16 says as well, got 2" in problems["methods.0.alpha_ratio"]


def test_rules_match_on_what_backbone_and_task_are(load: Any) -> None:
    rule = {
        "match": {"family": "encoder", "task_kind": "ner", "task_domain": "clinical"},
        "set": {"epochs": 9},
    }
    found = load(tasks=["demo-outcome", "demo-ner"], rules=[rule]).grid.cells
    assert {(c.cell.task, c.recipe.epochs) for c in found} == {("demo-outcome", 5), ("demo-ner", 9)}
    wrong = {"match": {"family": "encodre"}, "set": {"epochs": 9}}
    assert "encodre" in problems_of(load, rules=[wrong])["rules.0.match.family"]


def test_a_search_is_carried_by_its_cells_and_named_in_the_method(load: Any) -> None:
    tune = {
        "trials": 3,
        "space": {"learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}, "dropout": [0.1, 0.3]},
    }
    [full, lora] = load(methods=["full", {"name": "lora", "tune": tune}]).grid.cells
    assert (full.tune, full.cell.method) == (None, "full")
    assert lora.cell.method == "lora-r8-tuned"
    assert lora.tune is not None
    assert lora.tune.trials == 3


@pytest.mark.parametrize(
    ("space", "key", "words"),
    [
        ({"ranks": [4, 8]}, "methods.0.tune.space.ranks", "nor a setting of 'lora'"),
        ({"dropout": [0.1, 2.0]}, "methods.0.tune.space.dropout", "less than 1"),
        ({"learning_rate": {"low": 1.0, "high": 0.1}}, "methods.0.tune.space.learning_rate.low", "not below"),
        ({"dropout": [0.1]}, "methods.0.tune.space.dropout", "at least two"),
        ({}, "methods.0.tune.space", "at least 1"),
    ],
)
def test_a_space_that_cannot_be_searched_is_a_mistake(load: Any, space: Any, key: str, words: str) -> None:
    problems = problems_of(load, methods=[{"name": "lora", "tune": {"space": space}}])
    assert words in problems.get(key, str(problems))
