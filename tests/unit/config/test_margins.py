"""What is good enough where quality is an error in a unit of the task's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import load_sweep
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.target import Target
from orchestrator.errors import ConfigError
from orchestrator.report.analysis.claim_text import DifferenceUnit
from orchestrator.report.text import enough, metric_title

TASK = """
title: Length of stay
kind: regression
domain: clinical
reader: {format: csv, text: letter, label: days, files: {train: [a.csv], dev: [b.csv], test: [c.csv]}}
unit: days
metric: mae
"""


def sweep(root: Path, **keys: Any) -> Path:
    (root / "mine" / "tasks").mkdir(parents=True)
    (root / "mine" / "tasks" / "stays.yaml").write_text(TASK)
    (root / "data").mkdir()
    for name in "abc":
        (root / "data" / f"{name}.csv").write_text(f"letter,days\n{name} letter,1\n")
    path = root / "sweep.yaml"
    fields = {
        "name": "s",
        "catalogues": ["mine"],
        "data_dir": "data",
        "models": ["demo-tiny"],
        "domains": ["general"],
        "methods": ["full"],
        "tasks": ["stays"],
        "seeds": [1],
    }
    path.write_text(json.dumps(fields | keys))
    return path


def problems(path: Path) -> dict[str, str]:
    with pytest.raises(ConfigError) as error:
        load_sweep(path, cwd=path.parent)
    return {problem.key: f"{problem.problem}; {problem.fix}" for problem in error.value.problems}


def test_a_sweep_says_what_difference_of_an_error_is_small(tmp_path: Path) -> None:
    words = problems(sweep(tmp_path))["good_enough"]
    assert words == (
        "is missing for stays, whose mae is in days; set good_enough: {tasks: {stays: {within: NUMBER}}}, "
        "the difference in days that is small"
    )


def test_a_margin_for_all_tasks_is_none_in_the_unit_of_one(tmp_path: Path) -> None:
    """0.01 is a point of F1, and a hundredth of a day."""
    mixed = {"tasks": ["stays", "demo-outcome"], "good_enough": {"within": 0.01}}
    assert problems(sweep(tmp_path, **mixed))["good_enough"].startswith("is missing for stays")
    both = {"within": 0.01, "tasks": {"stays": {"within": 0.5}}}
    load_sweep(sweep(tmp_path / "both", **mixed | {"good_enough": both}), cwd=tmp_path)


def test_an_error_has_no_least_value(tmp_path: Path) -> None:
    words = problems(sweep(tmp_path, good_enough={"at_least": 0.5}))["good_enough.at_least"]
    assert words.startswith("stays is measured by its mae, which has no least value")


def test_a_margin_in_the_unit_is_enough(tmp_path: Path) -> None:
    config = load_sweep(sweep(tmp_path, good_enough={"within": 0.5}), cwd=tmp_path).config
    assert config.good_enough is not None
    assert config.good_enough.of("stays").within == 0.5


def test_errors_are_told_in_their_unit_and_shares_in_points() -> None:
    assert metric_title(MetricName.MAE, "days") == "mean absolute error in days"
    assert enough(Target(within=0.5), MetricName.MAE, "days") == "within 0.5 days of the best"
    assert enough(Target(within=0.01), MetricName.MACRO_F1) == "within 1 point of the best"
    assert DifferenceUnit("", points=False, unit="days").with_unit(0.25) == "0.250 days"
    assert DifferenceUnit("", points=True).with_unit(0.25) == "25.0 points"
