"""`frontier compare`: two sweeps side by side, and what of them cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder, task
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.contracts import layout
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.recipe import Recipe
from orchestrator.errors import ConfigError

CELL = "tiny/general/full"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _sweep(name: str, epochs: int = 5, quality: float = 0.8, **fate: Any) -> LedgerBuilder:
    built = LedgerBuilder(Path("sweeps"), name)
    recipe = Recipe(learning_rate=5e-4, epochs=epochs)
    for trial in built.plan(["tiny"], ["general"], ["full", "lora-r8"], seeds=[1, 2, 3], recipe=recipe):
        score = quality + 0.01 * (trial.seed - 2) - (0.1 if trial.cell.method == "lora-r8" else 0.0)
        built.attempt(trial, Fate(quality=score, **fate))
    return built


def _rewrite_orders(sweep: str, old: str, new: str) -> None:
    for order in Path("sweeps", sweep).rglob(layout.ORDER):
        order.write_text(order.read_text().replace(old, new))


def _said(*words: str) -> str:
    return CliRunner().invoke(app, ["compare", *words], catch_exceptions=False, env={"COLUMNS": "150"}).output


def _row(cell: str = CELL) -> dict[str, Any]:
    rows = json.loads(_said("first", "second", "--json"))["cells"]
    return next(row for row in rows if row["cell"] == cell)


def test_cells_are_compared_in_quality_and_cost_with_what_changed_in_their_recipes() -> None:
    _sweep("first", seconds=100.0)
    _sweep("second", epochs=10, quality=0.85, seconds=200.0)
    row = _row()
    assert row["first"]["quality"] == pytest.approx(0.8)
    assert row["first"]["interval"][0] < 0.8 < row["first"]["interval"][1]
    assert row["quality_difference"] == pytest.approx(0.05)
    assert row["cost_ratio"] == pytest.approx(2.0)
    assert row["changed"] == ["recipe.epochs: 5 -> 10"]
    assert row["quality_not_comparable"] == row["cost_not_comparable"] == []
    said = _said("first", "second")
    assert "changed: recipe.epochs: 5 -> 10 (all cells)" in said
    assert "+5.0" in said
    assert "2 ×" in said
    assert "The differences are not tested" in said


def test_comparing_writes_nothing() -> None:
    _sweep("first")
    _sweep("second")
    before = sorted(Path("sweeps").rglob("*"))
    _said("first", "second")
    assert sorted(Path("sweeps").rglob("*")) == before


def test_qualities_on_other_data_have_no_difference() -> None:
    _sweep("first")
    _sweep("second")
    _rewrite_orders("second", '"data":"dddddddddddddddd"', '"data":"eeeeeeeeeeeeeeee"')
    row = _row()
    assert row["quality_difference"] is None
    assert row["quality_not_comparable"] == ["the data: dddddddddddddddd -> eeeeeeeeeeeeeeee"]
    assert row["cost_ratio"] == pytest.approx(1.0)
    assert "quality cannot be compared: the data: " in _said("first", "second")


def test_qualities_by_other_metrics_have_no_difference() -> None:
    _sweep("first")
    other = LedgerBuilder(Path("sweeps"), "second")
    by_accuracy = task("outcome").model_copy(update={"metric": MetricName.ACCURACY})
    for trial in other.plan(["tiny"], ["general"], ["full"], tasks=[by_accuracy], seeds=[1, 2, 3]):
        other.attempt(trial, Fate(quality=0.9))
    row = _row()
    assert row["quality_difference"] is None
    assert row["quality_not_comparable"] == ["metric: macro_f1 -> accuracy"]


def test_costs_on_other_devices_have_no_ratio() -> None:
    _sweep("first")
    _sweep("second", device_type="NVIDIA A10G", software={"torch": "2.14.0"})
    row = _row()
    assert row["cost_ratio"] is None
    assert row["cost_not_comparable"] == ["device: cpu -> NVIDIA A10G", "torch: 2.13.0 -> 2.14.0"]
    assert row["quality_difference"] == pytest.approx(0.0)


def test_cells_and_seeds_of_one_sweep_alone_are_named() -> None:
    _sweep("first")
    other = LedgerBuilder(Path("sweeps"), "second")
    for trial in other.plan(["tiny"], ["general"], ["full"], seeds=[1, 2]):
        other.attempt(trial, Fate(quality=0.8))
    assert _row("tiny/general/lora-r8")["second"] is None
    assert "seeds: 1, 2, 3 -> 1, 2" in _row()["changed"]
    assert "only in first: tiny/general/lora-r8/outcome" in _said("first", "second")


def test_sweeps_without_a_common_cell_have_nothing_to_compare() -> None:
    _sweep("first")
    other = LedgerBuilder(Path("sweeps"), "second")
    for trial in other.plan(["base"], ["general"], ["full"], seeds=[1]):
        other.attempt(trial, Fate())
    said = " ".join(_said("first", "second").split())
    assert said.startswith("nothing to compare no cell is in both sweeps: a model, a domain, a method and")
    assert "quality" not in said


def test_a_cell_without_a_result_says_its_state() -> None:
    _sweep("first")
    LedgerBuilder(Path("sweeps"), "second").plan(["tiny"], ["general"], ["full"], seeds=[1, 2, 3])
    row = _row()
    assert row["second"]["state"] == "new"
    assert row["quality_difference"] is None


def test_a_sweep_is_not_compared_with_itself() -> None:
    _sweep("first")
    with pytest.raises(ConfigError, match="are one sweep"):
        _said("first", "sweeps/first")
