"""`frontier plan --explain`: where each value of a cell comes from."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner
from virtual_sweeps import Project

from orchestrator.cli.app import app
from orchestrator.cli.plan.explain import explain_json, show_explained
from orchestrator.errors import ConfigError

FILE = """name: explained
catalogues: [mine]
models: [tiny]
domains: [general]
tasks: [letters]
methods:
  - name: full
    weight_decay: 0.2
  - name: lora
    rank: [4, 8]
axes:
  train_rows: [50]
recipe:
  epochs: 7
rules:
  - match: {entry: lora}
    set: {warmup_ratio: 0.3}
    settings: {dropout: 0.4}
"""
TASK = """title: x
kind: ner
domain: clinical
metric: entity_f1
train_examples: 64
recipe: {batch_size: 16, epochs: 9}
reader: {format: conll, files: {train: [a.tsv], dev: [b.tsv], test: [c.tsv]}}
"""


MERGED = """x-slow: &slow {learning_rate: 0.002}
x-long: &long
  <<: *slow
  epochs: 5
"""
MERGED += FILE.replace("    weight_decay: 0.2", "    <<: *slow").replace(
    "  epochs: 7", "  <<: *long\n  batch_size: 4"
)


def explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str, *arguments: str, text: str = FILE
) -> dict[str, Any]:
    (tmp_path / "mine" / "tasks").mkdir(parents=True)
    (tmp_path / "mine" / "tasks" / "letters.yaml").write_text(TASK)
    (tmp_path / "ours.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["plan", "ours.yaml", *arguments, "--explain", cell, "--json"])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def origins(found: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    rows = [*found["recipe"], *found["settings"]]
    return {
        row["key"]: (row["source"], row["file"] and Path(row["file"]).name, row["line"], row["in"])
        for row in rows
    }


def test_each_value_is_traced_to_what_sets_it_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = explained(
        tmp_path, monkeypatch, "tiny/general/lora-r4-dropout0.4/letters", "recipe.evaluations_per_epoch=2"
    )
    assert found["optimiser_steps"] == 28
    told = origins(found)
    assert told["learning_rate"] == ("catalogue", "lora.yaml", 2, "recipe.learning_rate")
    assert told["batch_size"] == ("task", "letters.yaml", 6, "recipe.batch_size")
    assert told["epochs"] == ("file", "ours.yaml", 14, "recipe.epochs")
    assert told["train_rows"] == ("file", "ours.yaml", 12, "axes.train_rows")
    assert told["warmup_ratio"] == ("rule", "ours.yaml", 17, "rules.0.set.warmup_ratio")
    assert told["evaluations_per_epoch"] == ("command line", None, None, "recipe.evaluations_per_epoch")
    assert told["schedule"] == ("default", None, None, None)
    assert told["rank"] == ("file", "ours.yaml", 10, "methods.1.rank")
    assert told["dropout"] == ("rule", "ours.yaml", 18, "rules.0.settings.dropout")
    assert told["alpha"] == ("catalogue", "lora.yaml", 1, "settings.alpha")
    assert told["dora"] == ("default", None, None, None)


@pytest.mark.parametrize(
    "cell", ["tiny/general/full/letters", "tiny/general/full", "tiny/general/full/letters/seed-12"]
)
def test_an_item_that_was_selected_is_traced_to_its_place_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: str
) -> None:
    told = origins(explained(tmp_path, monkeypatch, cell, "methods=lora,full"))
    assert told["weight_decay"] == ("file", "ours.yaml", 8, "methods.0.weight_decay")


@pytest.mark.parametrize("arguments", [[], ["methods=full"]])
def test_a_merged_key_is_traced_to_the_line_where_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    told = origins(explained(tmp_path, monkeypatch, "tiny/general/full/letters", *arguments, text=MERGED))
    assert told["learning_rate"] == ("file", "ours.yaml", 1, "methods.0.learning_rate")
    assert told["epochs"] == ("file", "ours.yaml", 4, "recipe.epochs")
    assert told["batch_size"] == ("file", "ours.yaml", 19, "recipe.batch_size")


def test_an_item_of_the_command_line_is_traced_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = origins(
        explained(tmp_path, monkeypatch, "tiny/general/full/letters", "methods=[{name: full, epochs: 3}]")
    )
    assert told["epochs"] == ("command line", None, None, "methods.0.epochs")
    assert told["weight_decay"][0] == "default"


def test_a_family_a_search_and_a_limit_of_the_backbone_are_named(tmp_path: Path) -> None:
    tune = {"trials": 2, "space": {"learning_rate": [1e-3, 1e-2]}}
    plan = Project(tmp_path).plan(
        methods=["full", {"name": "lora", "tune": tune}],
        models=["demo-tiny", "llama-2-7b"],
        domains=["general"],
        recipe={"max_length": 100_000},
    )
    told = origins(explain_json(plan, "llama-2-7b/general/full"))
    assert told["learning_rate"] == ("by_family", "full.yaml", 4, "by_family.decoder.learning_rate")
    told = origins(explain_json(plan, "demo-tiny/general/lora-r8-tuned"))
    assert told["learning_rate"][0] == "search"
    assert told["max_length"][0] == "backbone"


def test_a_person_reads_a_table(tmp_path: Path) -> None:
    out = io.StringIO()
    show_explained(Project(tmp_path).plan(), "demo-tiny/general/full", Console(file=out, width=120))
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("demo-tiny/general/full/demo-outcome, ")
    assert lines[0].endswith(" optimiser steps")
    [rate] = [line.strip().split(maxsplit=2) for line in lines if line.startswith("learning_rate")]
    assert rate == ["learning_rate", "3e-05", "catalogue: full.yaml, line 2, recipe.learning_rate"]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("demo-tiny/general/ful/demo-outcome", "did you mean 'demo-tiny/general/full/demo-outcome'?"),
        ("demo-tiny", "names 4 cells"),
        ("nothing", "no cell of this sweep, got 'nothing'"),
        ("demo-small/general/full/demo-outcome", "is refused: excluded: later"),
    ],
)
def test_a_cell_that_cannot_be_explained_is_a_mistake_with_its_fix(
    tmp_path: Path, cell: str, words: str
) -> None:
    rules = [{"match": {"model": "demo-small"}, "exclude": "later"}]
    plan = Project(tmp_path).plan(models=["demo-tiny", "demo-small"], rules=rules)
    with pytest.raises(ConfigError) as refused:
        explain_json(plan, cell)
    assert words in str(refused.value)
