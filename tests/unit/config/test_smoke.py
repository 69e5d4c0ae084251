"""`--smoke`: the same grid on tiny models and invented rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import load_sweep
from orchestrator.config.smoke import smoke_grid
from orchestrator.contracts.backbone import RandomWeights

SWEEP = {
    "name": "large",
    "data_dir": "nowhere",
    "models": ["base", "llama-2-7b"],
    "domains": ["general"],
    "methods": [{"name": "full", "train_rows_per_class": [1, 4096]}, {"name": "lora", "quantise": "nf4"}],
    "tasks": ["mts-dialog-8"],
    "resources": {"cpus": 4, "gpus": 1},
    "prices": "taylor-2024",
    "recipe": {"stop_collapsed": True},
}


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    path = tmp_path / "large.yaml"
    path.write_text(yaml.safe_dump(SWEEP))
    return path


def test_the_grid_is_the_same_and_everything_in_it_is_small(sweep_file: Path) -> None:
    real = load_sweep(sweep_file, [], cwd=sweep_file.parent)
    small = load_sweep(sweep_file, [], cwd=sweep_file.parent, smoke=True)
    assert small.sweep_directory.name == "large-smoke"
    assert small.config.resources.gpus == 0
    ran, quantised = small.grid.cells, [r for r in small.grid.refused if "nf4" in r.reason]
    assert {c.cell for c in real.grid.cells} == {c.cell for c in ran} | {r.cell for r in quantised}
    assert quantised
    for cell in ran:
        assert not cell.recipe.stop_collapsed
        assert cell.backbone.weights == RandomWeights(architecture=cell.backbone.architecture)
        assert cell.task.spec.invented
        assert cell.recipe.batch_size <= 8


def test_a_budget_stays_a_budget_of_its_kind(sweep_file: Path) -> None:
    for budget, kind in (
        ("steps=9000", "steps"),
        ("money=2.5", "train_seconds"),
        ("device_hours=1", "train_seconds"),
    ):
        small = load_sweep(sweep_file, [f"recipe.{budget}"], cwd=sweep_file.parent, smoke=True)
        for cell in small.grid.cells:
            given = {
                key
                for key in ("steps", "train_seconds", "device_hours", "money")
                if getattr(cell.recipe, key)
            }
            assert given == {kind}
            assert getattr(cell.recipe, kind) <= 2


def test_invented_rows_have_no_sites_and_are_held_out_by_shares(load: Any, tmp_path: Path) -> None:
    (tmp_path / "mine" / "tasks").mkdir(parents=True)
    (tmp_path / "mine" / "tasks" / "ours.yaml").write_text(
        "title: T\nkind: classification\ndomain: clinical\nmetric: macro_f1\n"
        "reader:\n  {format: csv, files: {train: [a.csv]}, text: text, label: label,\n"
        "   hold_out: {by: site, values: {test: [south]}, dev: 0.1}}\n"
    )
    grid = smoke_grid(load(catalogues=["mine"], tasks=["ours"]).grid)
    hold_out = grid.cells[0].task.spec.reader.hold_out
    assert hold_out is not None
    assert (hold_out.by, hold_out.dev, hold_out.test) == (None, 0.2, 0.2)


def test_invented_rows_have_the_columns_of_a_hubs_data_set(load: Any, tmp_path: Path) -> None:
    (tmp_path / "mine" / "tasks").mkdir(parents=True)
    (tmp_path / "mine" / "tasks" / "ours.yaml").write_text(
        "title: T\nkind: classification\ndomain: clinical\nmetric: macro_f1\n"
        "reader: {format: hub, dataset: some/where, text: sentence, hold_out: {dev: 0.2}}\n"
    )
    task = smoke_grid(load(catalogues=["mine"], tasks=["ours"]).grid).cells[0].task.spec
    assert (task.reader.format, task.reader.text, task.reader.hold_out.dev) == ("parquet", "sentence", 0.2)
    assert task.reader.files == {"train": ("train.parquet",), "test": ("test.parquet",)}
