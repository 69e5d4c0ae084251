"""Every mistake of a user's input is told at once, with place, value and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from profiles import SLOW

from orchestrator.config import SweepConfig, load_sweep
from orchestrator.errors import ConfigError, Problem

FIVE_MISTAKES = """
name: my sweep
models: [tiny, baze]
domains: [general]
methods: [full, {name: lora, rankk: 4}]
tasks: [ncbi-disease, ncbi-disease]
recipe: {batch_size: 32, micro_batch_size: 5}
"""


def test_five_different_mistakes_come_in_one_message(tmp_path: Path) -> None:
    file = tmp_path / "five.yaml"
    file.write_text(FIVE_MISTAKES)
    with pytest.raises(ConfigError) as caught:
        load_sweep(file, cwd=tmp_path)
    error = caught.value
    assert error.exit_code == 2
    assert str(error).startswith("5 mistakes in the input:")
    expected = {
        "name": ("'my sweep'", "letters, digits"),
        "models.1": ("'baze'", "did you mean 'base'?"),
        "methods.1.rankk": ("rankk: 4", "did you mean 'rank'?"),
        "tasks": ("'ncbi-disease' is listed 2 times", "remove the duplicate"),
        "recipe.micro_batch_size": ("5 does not divide batch_size 32", "make batch_size a multiple"),
    }
    assert {problem.key for problem in error.problems} == set(expected)
    for problem in error.problems:
        value, fix = expected[problem.key]
        assert problem.where == str(file)
        assert value in problem.problem
        assert fix in problem.fix
        assert str(problem) in str(error)


CASES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"modells": ["tiny"]}, "modells", "unknown key", "'models'"),
    ({"domains": None}, "domains", "is missing", "add this key"),
    ({"models": "tiny"}, "models", "'tiny'", "write a list"),
    ({"models": []}, "models", "at least 1", "name at least one"),
    ({"tasks": ["ncbi-disease", 7]}, "tasks.1", "7", "quotes"),
    ({"good_enough": {"within": 0.01, "at_least": 0.8}}, "good_enough", "expected one of them", "remove one"),
    (
        {"good_enough": {"tasks": {"ncbi-diseese": {"at_least": 0.8}}}},
        "good_enough.tasks.ncbi-diseese",
        "'ncbi-diseese'",
        "did you mean 'ncbi-disease'?",
    ),
    ({"failures": "ignore"}, "failures", "'ignore'", "leave_out"),
    ({"seeds": [-1]}, "seeds.0", "-1", "greater than or equal to 0"),
    ({"seeds": [1, 1]}, "seeds", "1 is listed 2 times", "remove the duplicate"),
    ({"name": "../elsewhere"}, "name", "'../elsewhere'", "letters"),
    ({"name": "ours-probes"}, "name", "'ours-probes'", "choose another name"),
    ({"recipe": {"learning_rate": True}}, "recipe.learning_rate", "true", "write a number"),
    ({"recipe": {"learning_rate": None}}, "recipe.learning_rate", "null", "write a number"),
    ({"recipe": {"epochs": 2.5}}, "recipe.epochs", "2.5", "whole number"),
    ({"recipe": {"precision": "fp33"}}, "recipe.precision", "'fp33'", "'fp32'"),
    ({"recipe": {"learning_rate": -1e-3}}, "recipe.learning_rate", "-0.001", "greater than 0"),
    ({"resources": {"gpu": 1}}, "resources.gpu", "gpu: 1", "'gpus'"),
    (
        {"resources": {"device": "nvidia-l4", "gpus": 1}},
        "resources.gpus",
        "excludes `device`",
        "remove `device`, or remove `gpus`",
    ),
    ({"keep_weights": "some"}, "keep_weights", "'some'", "adapters"),
    ({"accepted_risks": ["roott"]}, "accepted_risks.0", "'roott'", "did you mean 'root'?"),
    ({"methods": ["lorra"]}, "methods.0", "'lorra'", "'lora'"),
    ({"methods": [{"name": "full", "rank": 4}]}, "methods.0.rank", "rank: 4", "learning_rate"),
    ({"methods": [{"name": "lora", "rank": [4, "x"]}]}, "methods.0.rank.1", "'x'", "whole number"),
    ({"methods": [{"name": "lora", "rank": 0}]}, "methods.0.rank", "0", "greater than 0"),
    ({"methods": [{"rank": 4}]}, "methods.0.name", "is missing", "add this key"),
    ({"methods": ["full", {"name": "full", "epochs": 3}]}, "methods.1", "'full'", "list them"),
    ({"prices": "taylor"}, "prices", "'taylor'", "'taylor-2024'"),
    ({"rules": [{"match": {"model": "tine"}, "exclude": "x"}]}, "rules.0.match.model", "'tine'", "'tiny'"),
    (
        {"rules": [{"match": {"method": "lora"}, "set": {"epochs": 1}}]},
        "rules.0.match.method",
        "'lora'",
        "'lora-r8'",
    ),
    (
        {"rules": [{"match": {"model": "distil"}, "set": {"epochs": 1}}]},
        "rules.0.match",
        "matches no cell",
        "remove the rule",
    ),
    ({"rules": [{"match": {}, "set": {"epochs": "3"}}]}, "rules.0.set.epochs", "'3'", "whole number"),
    ({"rules": [{"match": {"model": "tiny"}}]}, "rules.0", "got neither", "keep one of"),
    ({"rules": [{"match": {}, "exclude": "not now"}]}, "models", "not now", "`exclude`"),
    (
        {"models": ["llama-2-7b"], "domains": ["clinical"]},
        "models",
        "no backbone",
        "llama-2-7b exists for: general",
    ),
    (
        {
            "models": ["tiny", "minilm"],
            "rules": [{"match": {"domain": "general"}, "exclude": "no"}],
            "domains": ["general"],
        },
        "models",
        "excluded: no",
        "remove an `exclude` rule",
    ),
    ({"methods": ["qlora"]}, "models", "needs a GPU", "choose methods that run on these models"),
    ({"epochs": 3}, "epochs", "unknown key", "write it under `recipe:`"),
    ({"recipe": {"seeds": [1]}}, "recipe.seeds", "unknown key", "one level up, beside `recipe`"),
    ({"concurrency": 0}, "concurrency", "0", "greater than 0"),
    ({"axes": {"epochs": [1, 1, 2]}}, "axes.epochs", "1 is listed 2 times", "remove the duplicate"),
    ({"storage": "s3:/bucket/team"}, "storage", "'s3:/bucket/team'", "s3://bucket/team"),
    ({"storage": "s3://"}, "storage", "'s3://'", "s3://bucket/prefix"),
    ({"storage": "file://shared"}, "storage", "'file://shared'", "file:///shared"),
    (
        {"axes": {"epochs": [1, 2]}, "methods": [{"name": "full", "epochs": 3}]},
        "axes.epochs",
        "every method sets it itself",
        "epochs of the methods",
    ),
]


@pytest.mark.parametrize(("keys", "key", "got", "fix"), CASES, ids=[c[1] + ":" + c[2][:12] for c in CASES])
def test_one_mistake_makes_one_problem(
    problems: Any, keys: dict[str, Any], key: str, got: str, fix: str
) -> None:
    (problem,) = problems(**keys)
    assert problem.key == key
    assert got in problem.problem
    assert fix in problem.fix


def test_a_mistake_in_an_override_points_at_the_command_line(problems: Any) -> None:
    found = problems("recipe.epoch=3", "concurrency=0", "seeds", "tasks=ncbi-diseas", name="a b")
    by_key = {c.key: c for c in found}
    assert {key for key, c in by_key.items() if c.where == "command line"} == {
        "recipe.epoch",
        "concurrency",
        "",
        "tasks.0",
    }
    assert by_key["name"].where.endswith("ours.yaml")
    assert "'seeds'" in by_key[""].problem
    assert "'recipe.epochs'" in by_key["recipe.epoch"].fix


def test_what_an_override_cannot_change_is_told_and_what_it_can_is_not(problems: Any, load: Any) -> None:
    own = {"methods": [{"name": "full", "learning_rate": 1e-5}, {"name": "lora", "learning_rate": 1e-3}]}
    (problem,) = problems("recipe.learning_rate=1e-4", **own)
    assert (problem.where, problem.key) == ("command line", "recipe.learning_rate")
    assert "has no effect" in problem.problem
    load(recipe={"learning_rate": 1e-4}, **own)  # in a file it stands for methods to come
    own["methods"].append("head-only")
    load("recipe.learning_rate=1e-4", **own)


def test_an_override_reaches_into_mappings_and_stands_once(problems: Any, load: Any) -> None:
    found = load("axes.train_rows=[4,8]", "storage=s3://b/p", "storage_options.endpoint_url=http://x")
    assert found.config.axes.axes() == {"train_rows": (4, 8)}
    assert found.config.storage_options == {"endpoint_url": "http://x"}
    foreign, twice = problems("axes.rows=3", "seeds=1", "seeds=2")
    assert {(c.where, c.key) for c in (foreign, twice)} == {
        ("command line", "axes.rows"),
        ("command line", "seeds"),
    }


def test_an_absent_catalogue_is_a_mistake_of_the_key_that_names_it(problems: Any, tmp_path: Path) -> None:
    """Names may be of it: they are checked once it is there."""
    (tmp_path / "mine" / "tasks").mkdir(parents=True)
    (problem,) = problems(catalogues=["mien"], models=["tiny", "our-model"])
    assert problem.key == "catalogues.0"
    assert problem.where.endswith("ours.yaml")
    assert "did you mean 'mine'?" in problem.fix


def test_a_broken_task_casts_no_doubt_on_models_and_methods(problems: Any, tmp_path: Path) -> None:
    tasks = tmp_path / "mine" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "ours.yaml").write_text("title: Ours\n")
    found = problems(catalogues=["mine"], models=["tine"], methods=["ful"], tasks=["ours"])
    assert {c.key for c in found if Path(c.where).parent == tmp_path} == {"models.0", "methods.0"}


def test_a_mistake_in_a_catalogue_of_ones_own_comes_with_those_of_the_file(
    problems: Any, tmp_path: Path
) -> None:
    tasks = tmp_path / "mine" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "letters.yaml").write_text(
        "title: x\nkind: nerr\ndomain: clinical\nmetric: entity_f1\n"
        "reader: {format: conll, files: {train: [a.tsv], dev: [b.tsv], test: [c.tsv]}, seperator: tab}\n"
    )
    found = problems(catalogues=["mine"], concurrency=0, tasks=["letters"])
    assert {(Path(c.where).name, c.key) for c in found} == {
        ("ours.yaml", "concurrency"),
        ("letters.yaml", "kind"),
        ("letters.yaml", "reader.seperator"),
    }


def test_a_mistake_in_an_entry_that_the_sweep_does_not_use_is_a_note(load: Any, tmp_path: Path) -> None:
    for kind, name in (("tasks", "letters"), ("methods", "ours"), ("prices", "ours"), ("devices", "ours")):
        (tmp_path / "mine" / kind).mkdir(parents=True)
        (tmp_path / "mine" / kind / f"{name}.yaml").write_text("title: x\n")
    notes = load(catalogues=["mine"]).notes
    assert len(notes) == 4
    assert any("letters.yaml is not used here and has 4 mistakes" in note for note in notes), notes


def test_an_entry_that_takes_a_used_name_again_is_a_mistake(problems: Any, tmp_path: Path) -> None:
    (tmp_path / "mine" / "tasks").mkdir(parents=True)
    (tmp_path / "mine" / "tasks" / "ncbi-disease.yaml").write_text("title: x\n")
    (problem,) = problems(catalogues=["mine"])
    assert "stands already" in problem.problem


def test_a_key_without_its_mapping_is_sent_there_on_the_command_line(problems: Any) -> None:
    fixes = {c.key: c.fix for c in problems("epochs=5", "lr=3", "gpus=1")}
    assert fixes == {
        "epochs": "did you mean 'recipe.epochs'?",
        "lr": "did you mean 'recipe.learning_rate'?",
        "gpus": "did you mean 'resources.gpus'?",
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["tiny", "full", "match", "?", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "match", "set", "rank", "epochs", "model", "x"]), inner)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[*SLOW, HealthCheck.function_scoped_fixture])
@given(keys=st.dictionaries(st.sampled_from([*SweepConfig.model_fields, "x"]), VALUES, max_size=4))
@example(keys={"models": ["?"]})  # no cell, and none that is refused
def test_no_file_whatever_is_in_it_ends_in_a_traceback(load: Any, keys: dict[str, Any]) -> None:
    found: tuple[Problem, ...] = ()
    try:
        load(**keys)
    except ConfigError as error:
        found = error.problems
    assert all(problem.problem and problem.fix for problem in found)


def test_values_that_are_long_are_cut(problems: Any) -> None:
    (problem,) = problems(question=["x" * 1000])
    assert len(problem.problem) < 120


def test_a_learning_rate_that_is_set_nowhere(problems: Any, tmp_path: Path) -> None:
    methods = tmp_path / "mine" / "methods"
    methods.mkdir(parents=True)
    (methods / "bare.yaml").write_text("settings: {kind: full}\n")
    (problem,) = problems(catalogues=["mine"], methods=["bare"])
    assert problem.key == "recipe.learning_rate"
    assert "tiny/general/bare/ncbi-disease and 7 more" in problem.problem
