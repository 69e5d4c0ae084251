"""What a good sweep file resolves to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import load_sweep, sweep_schema, task_schema
from orchestrator.config.recipes import RecipePatch
from orchestrator.contracts.recipe import Recipe
from orchestrator.errors import ConfigError


def slugs(sweep: Any) -> list[str]:
    return list(dict.fromkeys(cell.cell.method for cell in sweep.grid.cells))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("full", ["full"]),
        ("lora", ["lora-r8"]),
        ({"name": "full", "learning_rate": 1e-4}, ["full"]),
        ({"name": "full", "learning_rate": [1e-4, 3e-5]}, ["full-lr0.0001", "full-lr3e-5"]),
        ({"name": "lora", "rank": [4, 8]}, ["lora-r4", "lora-r8"]),
        ({"name": "lora", "alpha": 16}, ["lora-r8-alpha16"]),
        (
            {"name": "lora", "rank": [8, 16], "alpha": [None, 16], "learning_rate": 1e-3},
            ["lora-r8-alphanone", "lora-r8-alpha16", "lora-r16-alphanone", "lora-r16-alpha16"],
        ),
        ({"name": "lora", "dropout": 0.1}, ["lora-r8"]),
        ({"name": "ia3", "epochs": [1, 2]}, ["ia3-epochs1", "ia3-epochs2"]),
    ],
)
def test_slugs_hold_what_tells_methods_apart(load: Any, item: Any, expected: list[str]) -> None:
    assert slugs(load(methods=[item])) == expected


def test_settings_and_rates_of_an_item_reach_the_cell(load: Any) -> None:
    sweep = load(methods=[{"name": "lora", "rank": [4, 16], "alpha": 32, "learning_rate": 2e-3}])
    cells = {cell.cell.method: cell for cell in sweep.grid.cells}
    settings = cells["lora-r16-alpha32"].variant.spec.settings
    assert (settings.rank, settings.alpha, settings.dropout) == (16, 32.0, 0.1)
    assert cells["lora-r4-alpha32"].recipe.learning_rate == 2e-3


def test_the_grid_is_the_product_in_the_order_of_the_file(load: Any) -> None:
    sweep = load(domains=["clinical", "general"])
    assert [cell.cell.name for cell in sweep.grid.cells][:5] == [
        "tiny/clinical/full/ncbi-disease",
        "tiny/clinical/full/mts-dialog",
        "tiny/clinical/lora-r8/ncbi-disease",
        "tiny/clinical/lora-r8/mts-dialog",
        "tiny/general/full/ncbi-disease",
    ]
    assert len(sweep.grid.cells) == 16


def test_a_pair_without_backbone_is_refused_with_its_reason(load: Any) -> None:
    sweep = load(models=["tiny", "llama-2-7b"])
    assert {cell.cell.name for cell in sweep.grid.refused} == {
        f"llama-2-7b/clinical/{method}/{task}"
        for method in ("full", "lora-r8")
        for task in ("ncbi-disease", "mts-dialog")
    }
    assert "model llama-2-7b and domain clinical" in sweep.grid.refused[0].reason


def test_a_rule_changes_the_settings_of_the_method_where_it_matches(load: Any) -> None:
    rules = [{"match": {"model": "base", "entry": "lora"}, "settings": {"rank": 16, "alpha": 32}}]
    sweep = load(rules=rules)
    plain = load()
    found = {c.cell.model: c for c in sweep.grid.cells if c.variant.spec.entry == "lora"}
    assert {model: c.cell.method for model, c in found.items()} == {
        "tiny": "lora-r8",
        "base": "lora-r16-alpha32",
    }
    settings = found["base"].variant.spec.settings
    assert (settings.rank, settings.alpha, settings.dropout) == (16, 32.0, 0.1)
    assert len(sweep.grid.cells) == len(plain.grid.cells)


@pytest.mark.parametrize(
    ("methods", "rule", "words"),
    [
        (
            ["full", "lora"],
            {"settings": {"rank": 4}},
            ("rules.0.settings.rank", "'full' has no such setting"),
        ),
        (["lora"], {"settings": {"rnak": 4}}, ("rules.0.settings.rnak", "did you mean 'rank'?")),
        (["lora"], {"settings": {"rank": 0}}, ("rules.0.settings.rank", "got 0")),
        ([{"name": "lora", "rank": [4, 8]}], {"settings": {"rank": 8}}, ("two cells become identical",)),
        (["lora"], {"settings": {"rank": 4}, "exclude": "no"}, ("got both",)),
    ],
)
def test_settings_of_a_rule_that_do_not_fit_are_mistakes(
    load: Any, methods: Any, rule: Any, words: Any
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(methods=methods, rules=[{"match": {}} | rule])
    for word in words:
        assert word in str(refused.value)


def test_excluded_cells_are_refused_with_the_reason_of_the_rule(load: Any) -> None:
    sweep = load(rules=[{"match": {"model": "base", "entry": "full"}, "exclude": "too dear here"}])
    assert {(c.cell.model, c.cell.method, c.reason) for c in sweep.grid.refused} == {
        ("base", "full", "excluded: too dear here")
    }
    assert len(sweep.grid.cells) + len(sweep.grid.refused) == 16


def rates(sweep: Any) -> dict[str, float]:
    return {cell.cell.name: cell.recipe.learning_rate for cell in sweep.grid.cells}


def test_later_layers_of_a_recipe_win(load: Any, tmp_path: Path) -> None:
    tasks = tmp_path / "mine" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "letters.yaml").write_text(
        "title: x\nkind: ner\ndomain: clinical\nmetric: entity_f1\nrecipe: {learning_rate: 2e-5, epochs: 7}\n"
        "reader: {format: conll, files: {train: [a.tsv], dev: [b.tsv], test: [c.tsv]}}\n"
    )
    one = {"catalogues": ["mine"], "models": ["tiny"], "domains": ["general"], "tasks": ["letters"]}
    name = "tiny/general/full/letters"
    assert rates(load(**one | {"tasks": ["mts-dialog"]}))["tiny/general/full/mts-dialog"] == 3e-5  # method
    assert rates(load(**one))[name] == 2e-5  # task
    assert rates(load(**one, recipe={"learning_rate": 1e-5}))[name] == 1e-5  # sweep
    item = {"name": "full", "learning_rate": 9e-5}
    assert rates(load(**one, recipe={"learning_rate": 1e-5}, methods=[item]))[name] == 9e-5  # item
    rules = [{"match": {"task": "letters"}, "set": {"learning_rate": rate}} for rate in (5e-5, 6e-5)]
    sweep = load(**one, methods=[item], rules=rules)
    assert rates(sweep)[name] == 6e-5  # the last rule
    assert sweep.grid.cells[0].recipe.epochs == 7
    assert sweep.grid.cells[0].recipe.weight_decay == Recipe.model_fields["weight_decay"].default


@pytest.mark.parametrize(
    ("match", "count"),
    [
        ({"model": "tiny"}, 8),
        ({"model": ["tiny", "base"], "domain": "general"}, 8),
        ({"method": "lora-r8", "task": "mts-dialog"}, 4),
        ({"entry": ["lora"]}, 8),
        ({"backbone": "bio-clinicalbert"}, 4),
        ({}, 16),
    ],
)
def test_a_rule_is_for_the_cells_that_agree_on_every_key(
    load: Any, match: dict[str, Any], count: int
) -> None:
    sweep = load(rules=[{"match": match, "set": {"epochs": 11}}])
    assert sum(cell.recipe.epochs == 11 for cell in sweep.grid.cells) == count


def test_max_length_is_the_tasks_and_never_more_than_the_backbone_takes(load: Any, tmp_path: Path) -> None:
    assert {c.cell.task: c.recipe.max_length for c in load().grid.cells} == {
        "ncbi-disease": 128,
        "mts-dialog": 256,
    }
    assert {c.recipe.max_length for c in load(recipe={"max_length": 4000}).grid.cells} == {512}


def test_full_data_lifts_the_cap_wherever_it_was_set(load: Any) -> None:
    capped: dict[str, Any] = {
        "recipe": {"train_rows": 100, "dev_rows": 40},
        "rules": [{"match": {"model": "tiny"}, "set": {"train_rows": 50}}],
    }
    assert {c.recipe.train_rows for c in load(**capped).grid.cells} == {100, 50}
    lifted = [cell.recipe for cell in load("full_data=true", **capped).grid.cells]
    assert {(recipe.train_rows, recipe.dev_rows) for recipe in lifted} == {(None, None)}


def test_overrides_change_axes_and_nested_keys(load: Any) -> None:
    sweep = load("models=tiny", "seeds=1,2", "tasks=[mts-dialog]", "recipe.epochs=9", "resources.cpus=2")
    assert sweep.config.models == ("tiny",)
    assert sweep.config.seeds == (1, 2)
    assert {c.cell.task for c in sweep.grid.cells} == {"mts-dialog"}
    assert {c.recipe.epochs for c in sweep.grid.cells} == {9}
    assert sweep.config.resources.cpus == 2
    assert sweep.raw["recipe"] == {"epochs": 9}


def test_a_rule_that_idles_because_the_command_line_narrowed_an_axis_is_no_mistake(load: Any) -> None:
    rules = [{"match": {"model": "base"}, "set": {"epochs": 2}}]
    assert len(load("models=tiny", rules=rules).grid.cells) == 8


def test_an_attempt_has_time_for_its_first_checkpoint(load: Any) -> None:
    assert load(attempt_hours=0.01, checkpoint_seconds=30).config.attempt_hours == 0.01
    with pytest.raises(ConfigError) as refused:
        load(attempt_hours=0.005, checkpoint_seconds=30)
    [problem] = refused.value.problems
    assert problem.key == "attempt_hours"
    assert "got 0.005, which is 18 s" in problem.problem
    assert problem.fix == "set more than 0.00833, or lower checkpoint_seconds"


def test_paths_are_relative_to_what_a_user_expects(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    (home / "s.yaml").write_text(
        "{name: s, data_dir: corpora, models: [tiny], domains: [general], methods: [full], "
        "tasks: [mts-dialog]}"
    )
    from_file = load_sweep(home / "s.yaml", cwd=work)
    assert from_file.data_dir == home / "corpora"
    assert from_file.sweep_directory == work / "sweeps" / "s"
    assert load_sweep(Path("../home/s.yaml"), ["data_dir=here"], cwd=work).data_dir == work / "here"


def test_problems_call_the_file_as_the_user_did(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("{name: a, name: b}")
    with pytest.raises(ConfigError) as caught:
        load_sweep(Path("s.yaml"), cwd=tmp_path)
    assert {problem.where for problem in caught.value.problems} == {"s.yaml"}


def test_what_the_record_keeps_of_the_file_is_the_file(load: Any) -> None:
    sweep = load(recipe={"train_rows": 10}, methods=["full", {"name": "lora", "rank": [4, 8]}])
    assert sweep.raw["recipe"] == {"train_rows": 10}
    assert sweep.raw["methods"] == [{"name": "full"}, {"name": "lora", "rank": [4, 8]}]
    assert "concurrency" not in sweep.raw


def test_a_part_of_a_recipe_has_the_keys_of_a_recipe() -> None:
    assert set(RecipePatch.model_fields) == set(Recipe.model_fields)
    assert RecipePatch(train_rows=None).values() == {"train_rows": None}
    assert RecipePatch().values() == {}


def test_the_schema_describes_every_key_a_file_may_have() -> None:
    schema = sweep_schema()
    assert {"models", "methods", "rules", "full_data"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert {"rank", "learning_rate"} <= set(schema["$defs"]["MethodItem"]["properties"])


def test_the_schema_of_a_task_has_the_keys_of_a_file() -> None:
    schema = task_schema()
    assert {"title", "reader", "recipe"} <= set(schema["properties"])
    assert "name" not in schema["properties"]
    assert schema["required"] == ["title", "kind", "domain", "reader", "metric"]


@pytest.mark.parametrize("schema", [sweep_schema(), task_schema()], ids=["sweep", "task"])
def test_every_key_of_the_schema_has_a_description(schema: dict[str, Any]) -> None:
    records = {"file": schema, **schema["$defs"]}
    missing = [
        f"{name}.{key}"
        for name, record in records.items()
        for key, entry in record.get("properties", {}).items()
        if not entry.get("description")
    ]
    assert missing == []
