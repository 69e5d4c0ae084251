"""Arguments of the command line: what they select, add, lay over and take away, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from orchestrator.config import load_sweep

METHODS: list[Any] = [
    {"name": "full", "learning_rate": 1e-3},
    {"name": "lora", "rank": [4, 8, 16], "learning_rate": 4e-3},
    {"name": "ia3", "learning_rate": [1e-2, 3e-2]},
    "bitfit",
]


def rates(sweep: Any) -> dict[str, float]:
    return {cell.cell.method: cell.recipe.learning_rate for cell in sweep.grid.cells}


RANKS = {"lora-r4": 4e-3, "lora-r8": 4e-3, "lora-r16": 4e-3}
BOTH = {"ia3-lr0.01": 1e-2, "ia3-lr0.03": 3e-2}


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("methods=full", {"full": 1e-3}),
        ("methods=[full]", {"full": 1e-3}),
        ('methods="full"', {"full": 1e-3}),
        ("methods=['full']", {"full": 1e-3}),
        ("methods= full ", {"full": 1e-3}),
        ("methods=- full", {"full": 1e-3}),
        ("methods=full,lora", {"full": 1e-3} | RANKS),
        ("methods=full, lora", {"full": 1e-3} | RANKS),
        ("methods=[lora, full]", {"full": 1e-3} | RANKS),
        ('methods=["full", "lora"]', {"full": 1e-3} | RANKS),
        ("methods=- full\n- lora", {"full": 1e-3} | RANKS),
        ("methods=ia3", BOTH),
        ("methods=ia3,full", BOTH | {"full": 1e-3}),
        ("methods=lora-r8", {"lora-r8": 4e-3}),
        ("methods=[lora-r16, lora-r4]", {"lora-r4": 4e-3, "lora-r16": 4e-3}),
        ('methods="ia3-lr0.03",full', {"ia3-lr0.03": 3e-2, "full": 1e-3}),
    ],
)
def test_names_of_methods_select_from_the_file_with_all_settings(
    load: Any, argument: str, expected: dict[str, float]
) -> None:
    sweep = load(argument, methods=METHODS)
    assert rates(sweep) == expected
    assert sweep.notes == ()


def test_a_name_selects_every_item_of_that_name(load: Any) -> None:
    twice = [
        {"name": "lora", "learning_rate": 4e-3},
        "full",
        {"name": "lora", "rank": 16, "learning_rate": 1e-3},
    ]
    assert rates(load("methods=lora", methods=twice)) == {"lora-r8": 4e-3, "lora-r16": 1e-3}
    assert rates(load("methods=lora-r16", methods=twice)) == {"lora-r16": 1e-3}


def test_a_variant_of_an_axis_of_all_methods_is_selected_by_its_own_name(load: Any) -> None:
    sweep = load("methods=full-rows8", methods=METHODS, axes={"train_rows": [8, 16]})
    assert {(c.cell.method, c.recipe.train_rows, c.recipe.learning_rate) for c in sweep.grid.cells} == {
        ("full-rows8", 8, 1e-3)
    }


def test_what_was_selected_reads_the_same_in_another_process(load: Any, tmp_path: Any) -> None:
    """The driver in a cluster gets the resolved file, and no arguments."""
    rules = [{"match": {"method": "ia3-lr0.01"}, "set": {"epochs": 9}}]
    meant = load("methods=lora-r8,full", methods=METHODS, rules=rules)
    (tmp_path / "resolved.yaml").write_text(yaml.safe_dump(meant.raw))
    read = load_sweep(tmp_path / "resolved.yaml", cwd=tmp_path)
    assert [cell.cell for cell in read.grid.cells] == [cell.cell for cell in meant.grid.cells]
    assert rates(read) == {"lora-r8": 4e-3, "full": 1e-3}
    assert read.config.partial


@pytest.mark.parametrize(
    "argument", ["methods=full,head-only", "methods=[full, head-only]", 'methods=full,"head-only"']
)
def test_a_method_that_the_file_lacks_is_added_as_the_catalogue_has_it_and_told(
    load: Any, argument: str
) -> None:
    sweep = load(argument, methods=METHODS)
    assert sweep.notes == ("head-only is not in ours.yaml: added with the catalogue's settings",)
    assert set(rates(sweep)) == {"full", "head-only"}


@pytest.mark.parametrize(
    "argument",
    [
        "methods=[{name: full, epochs: 2}]",
        "methods={name: full, epochs: 2}",
        'methods=[{"name": "full", "epochs": 2}]',
    ],
)
def test_a_mapping_says_exactly_what_it_says_and_what_it_replaces_is_told(load: Any, argument: str) -> None:
    sweep = load(argument, methods=METHODS)
    assert rates(sweep) == {"full": 3e-5}
    [note] = sweep.notes
    assert note.startswith("methods=")
    assert note.endswith("replaces full of ours.yaml, without learning_rate: 0.001")


def test_a_mapping_that_loses_nothing_needs_no_note(load: Any) -> None:
    sweep = load("methods=[lora-r4, {name: full, learning_rate: 1e-4}]", methods=METHODS)
    assert rates(sweep) == {"lora-r4": 4e-3, "full": 1e-4}
    assert sweep.notes == ()


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("methods=full,full", {"full": 1e-3}),
        ("methods=lora,lora-r8", {"lora-r4": 4e-3, "lora-r8": 4e-3, "lora-r16": 4e-3}),
        ("methods=lora-r8,lora,lora-r8", {"lora-r4": 4e-3, "lora-r8": 4e-3, "lora-r16": 4e-3}),
        ("methods=[lora-r8, lora-r4, lora-r8]", {"lora-r4": 4e-3, "lora-r8": 4e-3}),
        ("methods=head-only,head-only,full", {"head-only": 3e-5, "full": 1e-3}),
    ],
)
def test_what_two_names_select_is_taken_once(load: Any, argument: str, found: dict[str, float]) -> None:
    sweep = load(argument, methods=METHODS)
    assert rates(sweep) == found
    assert len(sweep.grid.cells) == len({cell.cell for cell in sweep.grid.cells})


@pytest.mark.parametrize(
    ("argument", "problem", "fix"),
    [
        ("methods=lorra", "got 'lorra'", "did you mean 'lora'?"),
        ("methods=lora-r32", "got 'lora-r32'", "did you mean 'lora-r"),
        ("methods=[full, foll]", "got 'foll'", "did you mean 'full'?"),
        ("methods=*", "names nothing", "remove it"),
        ("models=*", "names nothing", "all models of the file"),
        ("methods=", "at least 1", "name at least one"),
        ("methods.full.learning_rate=1e-4", "unknown key", "methods=[{name: full"),
        ("recipe.epoch=1", "unknown key", "did you mean 'recipe.epochs'?"),
        ("recipe.lr=1e-3", "unknown key", "did you mean 'recipe.learning_rate'?"),
        ("seeds=1-3", "no list of seeds, got '1-3'", "write each seed: seeds=1,2,3"),
        ("seeds=[1..3]", "no list of seeds", "write each seed: seeds=1,2,3"),
        ("recipe={epoch: 1}", "unknown key", "did you mean 'epochs'?"),
    ],
)
def test_what_cannot_be_selected_is_one_mistake_with_its_fix(
    problems: Any, argument: str, problem: str, fix: str
) -> None:
    [reported] = problems(argument, methods=METHODS)
    assert problem in reported.problem
    assert fix in reported.fix


def test_a_mistake_in_a_selected_item_is_told_of_its_place_in_the_file(problems: Any, tmp_path: Any) -> None:
    wrong = ["full", {"name": "lora", "rankk": 4}]
    [problem] = problems("methods=lora", methods=wrong)
    assert (problem.where, problem.key) == (str(tmp_path / "ours.yaml"), "methods.1.rankk")
    [problem] = problems("methods=[full, {name: lora, rankk: 4}]", methods=wrong)
    assert (problem.where, problem.key) == ("command line", "methods.1.rankk")


@pytest.mark.parametrize(
    ("arguments", "axis", "values", "notes"),
    [
        (["models=base"], "models", ("base",), []),
        (["models=[base]"], "models", ("base",), []),
        (['models="base","tiny"'], "models", ("base", "tiny"), []),
        (["models=tiny,distil"], "models", ("tiny", "distil"), ["distil is not in ours.yaml: added"]),
        (["domains=clinical"], "domains", ("clinical",), []),
        (
            ["domains=[clinical, biomedical]"],
            "domains",
            ("clinical", "biomedical"),
            ["biomedical is not in ours.yaml: added"],
        ),
        (["tasks=mts-dialog"], "tasks", ("mts-dialog",), []),
        (["tasks='mts-dialog'"], "tasks", ("mts-dialog",), []),
        (
            ["tasks=mednli,mts-dialog"],
            "tasks",
            ("mednli", "mts-dialog"),
            ["mednli is not in ours.yaml: added"],
        ),
        (["seeds=12"], "seeds", (12,), ["seeds=12 is one seed, number 12"]),
        (
            ["seeds=3"],
            "seeds",
            (3,),
            [
                "seeds=3 is one seed, number 3; for 3 seeds write seeds=1,2,3",
                "seed 3 is not in ours.yaml: added",
            ],
        ),
        (["seeds=[3]"], "seeds", (3,), ["seed 3 is not in ours.yaml: added"]),
        (["seeds=12,1,2"], "seeds", (12, 1, 2), ["seeds 1, 2 are not in ours.yaml: added"]),
        (["seeds=[12]"], "seeds", (12,), []),
    ],
)
def test_values_of_an_axis_that_the_file_lacks_are_told(
    load: Any, arguments: list[str], axis: str, values: tuple[Any, ...], notes: list[str]
) -> None:
    sweep = load(*arguments)
    assert getattr(sweep.config, axis) == values
    assert list(sweep.notes) == notes


@pytest.mark.parametrize(
    "arguments",
    [
        ["recipe={epochs: 1}"],
        ["recipe.epochs=1"],
        ['recipe={"epochs": 1}'],
        ["recipe={epochs: 1}", "recipe.dev_rows=null"],
    ],
)
def test_a_mapping_is_laid_over_the_files_key_by_key(load: Any, arguments: list[str]) -> None:
    sweep = load(*arguments, recipe={"epochs": 9, "batch_size": 16})
    assert {(c.recipe.epochs, c.recipe.batch_size) for c in sweep.grid.cells} == {(1, 16)}
    assert sweep.notes == ()


@pytest.mark.parametrize(
    ("keys", "argument", "note"),
    [
        (
            {"recipe": {"steps": 100}},
            "recipe.train_seconds=60",
            "recipe.train_seconds=60 replaces recipe.steps=100 of ours.yaml",
        ),
        (
            {"recipe": {"steps": 100}},
            "recipe={train_seconds: 60}",
            "recipe.train_seconds=60 replaces recipe.steps=100 of ours.yaml",
        ),
        (
            {"recipe": {"train_rows": 50}},
            "recipe.train_rows_per_class=8",
            "recipe.train_rows_per_class=8 replaces recipe.train_rows=50 of ours.yaml",
        ),
        (
            {"resources": {"cpus": 4, "gpus": 1}},
            "resources={device: nvidia-a10g}",
            'resources={device: nvidia-a10g} replaces resources: {"cpus": 4, "gpus": 1} of ours.yaml',
        ),
        (
            {"resources": {"cpus": 4}},
            "resources=auto",
            'resources=auto replaces resources: {"cpus": 4} of ours.yaml',
        ),
        (
            {"budget": {"core_hours": 9}},
            "budget=null",
            'budget=null replaces budget: {"core_hours": 9} of ours.yaml',
        ),
        (
            {"rules": [{"match": {"model": "tiny"}, "set": {"epochs": 2}}] * 2},
            "rules=[]",
            "rules=[] replaces the 2 rules of ours.yaml",
        ),
    ],
)
def test_what_an_argument_takes_from_the_file_is_told(
    load: Any, keys: dict[str, Any], argument: str, note: str
) -> None:
    assert load(argument, **keys).notes == (note,)


def test_resources_of_one_kind_are_laid_over_each_other(load: Any) -> None:
    sweep = load("resources={gpus: 1}", resources={"cpus": 4})
    assert (sweep.config.resources.cpus, sweep.config.resources.gpus) == (4, 1)
    assert load("budget={core_hours: 2}", budget={"money": 3}, prices="aws-us-east-1").raw["budget"] == {
        "core_hours": 2,
        "money": 3,
    }


def test_a_key_is_set_once_however_it_is_written(problems: Any) -> None:
    [problem] = problems("recipe.epochs=1", "recipe={epochs: 2}")
    assert "twice" in problem.problem


def test_a_recipe_key_that_methods_set_themselves_is_told(load: Any) -> None:
    [note] = load("recipe.learning_rate=1e-4", methods=METHODS).notes
    assert note.startswith(
        "recipe.learning_rate of the command line does not reach full (0.001), lora (0.004)"
    )


@pytest.mark.parametrize("argument", ["methods=full", "models=tiny", "tasks=[mts-dialog]", "domains=general"])
def test_a_rule_or_an_axis_for_what_is_left_out_is_no_mistake(load: Any, argument: str) -> None:
    rules = [
        {"match": {"method": "lora-r16"}, "set": {"epochs": 2}},
        {"match": {"model": "base", "entry": "lora", "task": "ncbi-disease"}, "set": {"epochs": 2}},
        {"match": {"backbone": "bio-clinicalbert", "method": "lora-r4"}, "set": {"epochs": 2}},
    ]
    methods = [{"name": "full", "epochs": 3}, {"name": "lora", "rank": [4, 8, 16]}]
    assert load(argument, methods=methods, rules=rules, axes={"epochs": [1, 2]}).grid.cells


def test_a_rule_of_the_command_line_that_matches_nothing_is_a_mistake(problems: Any) -> None:
    [problem] = problems("methods=full", "rules=[{match: {method: lora-r8}, exclude: later}]")
    assert (problem.where, problem.key) == ("command line", "rules.0.match.method")


def test_a_rule_that_matches_nothing_stays_a_mistake_where_only_seeds_are_chosen(problems: Any) -> None:
    rules = [{"match": {"model": "distil"}, "set": {"epochs": 2}}]
    [problem] = problems("seeds=1,2", rules=rules)
    assert problem.key == "rules.0.match"


def test_only_names_variants_of_its_item(problems: Any) -> None:
    [problem] = problems(methods=[{"name": "lora", "rank": [4, 8], "only": ["lora-r88"]}])
    assert (problem.key, problem.fix) == ("methods.0.only", "did you mean 'lora-r8'?")
