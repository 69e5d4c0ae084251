"""A plan as a person and a program read it: hundreds of cells in a few lines, and nothing lost in JSON."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from split_tasks import TABLE, rows, table, write_sweep, write_task
from typer.testing import CliRunner
from virtual_sweeps import Project

from orchestrator.cli.app import app
from orchestrator.cli.plan.budget import _show_remark, pass_gate, show_budget
from orchestrator.cli.plan.forecast import forecast_lines, taken
from orchestrator.cli.plan.view import plan_json, show_plan
from orchestrator.config import load_sweep
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.token_counts import TokenCounts
from orchestrator.contracts.vocabulary import Split
from orchestrator.errors import ConfigError, OverBudgetError
from orchestrator.planning import Plan
from orchestrator.planning.budget import BudgetLimit, limits
from orchestrator.units import rounded

TUNE = {"trials": 12, "space": {"learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}, "rank": [4, 8]}}


def shown(plan: Plan) -> list[str]:
    out = io.StringIO()
    show_plan(plan, Console(file=out, width=400))
    show_budget(plan, Console(file=out, width=400))
    return out.getvalue().splitlines()


def starting(plan: Plan, word: str) -> list[str]:
    return [line for line in shown(plan) if line.startswith(word)]


def test_refused_cells_stand_together_by_reason_with_their_number(tmp_path: Path) -> None:
    models = ["tiny", "base", "llama-2-7b"]
    rules = [{"match": {"model": "base", "entry": "full"}, "exclude": "too dear"}]
    keys: dict[str, Any] = {"models": models, "seeds": [1], "rules": rules}
    plan = Project(tmp_path).plan(**keys, tasks=["demo-outcome", "demo-ner"])
    refused = starting(plan, "refused")
    assert len(refused) == 2
    assert refused[0].startswith("refused 4 cells, say ")
    assert len(plan_json(plan)["refused"]) == sum(2 * 2 for _ in refused)


def test_backbones_that_saw_the_corpus_of_a_task_are_named_with_the_tasks(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(
        models=["base"], tasks=["mimic-mortality", "mimic-los", "demo-outcome"], methods=["full"]
    )
    assert starting(plan, "contaminated") == [
        "contaminated bio-clinicalbert read mimic-iii in its pretraining: mimic-mortality, mimic-los"
    ]
    assert plan_json(plan)["contaminated"] == [
        {"backbone": "bio-clinicalbert", "corpus": "mimic-iii", "tasks": ["mimic-mortality", "mimic-los"]}
    ]


def test_unknown_pretraining_is_not_taken_for_clean(tmp_path: Path) -> None:
    project = Project(tmp_path)
    keys: dict[str, Any] = {"models": ["base", "llama-2-7b"], "domains": ["general"], "methods": ["lora"]}
    plan = project.plan(**keys, tasks=["mimic-mortality"])
    assert starting(plan, "what the pretraining") == ["what the pretraining of llama-2-7b read is not known"]
    assert plan_json(plan)["unknown_pretraining"] == ["llama-2-7b"]
    invented = project.plan(**keys, tasks=["demo-outcome"])
    assert plan_json(invented)["unknown_pretraining"] == []


def test_a_search_is_told_with_its_space_its_size_and_its_cost(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(methods=["full", {"name": "lora", "tune": TUNE}])
    [line] = starting(plan, "search")
    assert "lora-r8-tuned in 2 cells, at most 12 candidates each" in line
    assert "learning_rate 1e-05..0.01 (log), rank 4|8: 0 over, 24 candidates to run, about" in line
    [line] = [line for line in shown(plan) if "to run after" in line]
    assert line.startswith("8 trials to run after 24 candidates of searches; about ")
    assert line.endswith(" of them for tuning")
    found = plan_json(plan)
    assert [(s["left"], len(s["drawn"]), s["tuned"]) for s in found["searches"]] == [(12, 10, None)] * 2
    hours = sum(s["forecast_seconds"] for s in found["searches"]) / 3600
    assert abs(found["forecast"]["tuning_device_hours"] - hours) < 1e-9


def test_without_searches_nothing_is_said_of_tuning(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan()
    assert "tuning" not in "\n".join(shown(plan))
    assert plan_json(plan)["searches"] == []
    assert plan.forecast.tuning_device_hours == 0


def test_no_line_of_a_plan_is_wider_than_the_terminal(tmp_path: Path) -> None:
    """But those with a command, which has to be pasted as it stands."""
    long = SplitCounts(examples=50, max_length=8, cut=40)
    plan = Project(tmp_path).plan(keep_gib=1e-6, log_models=True)
    counts = {"demo-outcome": {8: {Split.TRAIN: long, Split.TEST: long}}}
    plan = replace(plan, inputs=plan.inputs.model_copy(update={"counts": counts}))
    out = io.StringIO()
    show_plan(plan, Console(file=out, width=72))
    lines = out.getvalue().splitlines()
    assert any(line.startswith("weights") for line in lines)
    assert any(line.startswith("demo-outcome:") for line in lines)
    assert [line for line in lines if len(line) > 72] == []


def test_the_forecast_has_an_interval_for_each_figure(tmp_path: Path) -> None:
    lines = shown(Project(tmp_path).plan(prices="aws-us-east-1"))
    found = {line.split()[0]: line for line in lines if line.startswith("  ")}
    assert re.search(r"about \S+ core-hours \(\S+-\S+\)", "\n".join(lines))
    assert re.search(r"\(.+ to .+\)", found["wall"])
    assert re.search(r"USD \(\S+-\S+\), as cpu", found["money"])
    assert re.search(r"kWh \(\S+-\S+\), by the watts of cpu", found["energy"])
    assert "estimated for 8 trials" in found["estimated"]
    assert found["ranges"] == "  ranges       assumed: not all rest on finished trials"


def test_a_plan_beyond_its_budget_names_the_options_and_a_run_of_it_is_refused(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(budget={"core_hours": 1e-5})
    lines = shown(plan)
    at = next(place for place, line in enumerate(lines) if line.startswith("budget"))
    assert "0.00001 core-hours; forecast" in lines[at]
    assert lines[-1] == "or raise budget.core_hours"
    assert len(lines) == at + 5
    with pytest.raises(OverBudgetError) as caught:
        pass_gate(plan, Console())
    assert caught.value.exit_code == 2
    assert str(caught.value).count("->") == 4
    [told] = plan_json(plan)["budget"]
    assert (told["key"], told["limit"], told["spent"], told["over"]) == ("core_hours", 1e-5, 0, True)
    assert len(told["options"]) == 3


def test_a_budget_without_a_figure_is_refused_in_json_too(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(budget={"money": 3})
    for show in (plan_json, shown):
        with pytest.raises(ConfigError, match="no price of these devices"):
            show(plan)


def test_a_spent_budget_is_enough_where_nothing_is_left_to_run(tmp_path: Path) -> None:
    limit = BudgetLimit(
        "core_hours", "core-hours", 0.1, spent=0.2, ahead=0.0, most_ahead=0.0, per_device_hour=1
    )
    assert not limit.is_over
    assert replace(limit, ahead=0.01).is_over
    console = Console(record=True, width=100)
    _show_remark(Project(tmp_path).plan(), limit, console)
    assert console.export_text() == "budget 0.1 core-hours, 0.2 spent; nothing is left to run\n"


def test_a_budget_that_may_not_suffice_says_how_many_such_sweeps_need_more(tmp_path: Path) -> None:
    hours = Project(tmp_path).plan().forecast.device_hours
    assert hours is not None
    console = Console(record=True, width=200)
    pass_gate(Project(tmp_path).plan(budget={"core_hours": hours}), console)
    assert re.search(r"; about \d+ of 100 such sweeps need more: no trial begins", console.export_text())


def test_a_budget_that_suffices_lets_a_run_begin(tmp_path: Path) -> None:
    assert pass_gate(Project(tmp_path).plan(), Console()) is None
    assert pass_gate(Project(tmp_path).plan(budget={"core_hours": 100}), Console()) is not None


def test_a_budget_without_a_forecast_says_that_only_the_run_checks_it_and_what_forecasts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "letters.yaml").write_text(
        "title: x\nkind: ner\ndomain: clinical\nmetric: entity_f1\n"
        "reader: {format: conll, files: {train: [a.tsv], dev: [b.tsv], test: [c.tsv]}}\n"
    )
    keys: dict[str, Any] = {"catalogues": [str(tmp_path)], "tasks": ["letters"], "budget": {"core_hours": 2}}
    monkeypatch.chdir(tmp_path)
    plan = Project(tmp_path).plan(**keys)
    expected = [
        "budget 2 core-hours; there is no forecast to compare it with: it is checked only while trials run, "
        "and none begins once it is spent",
        "    -> to check it beforehand: `frontier plan virtual.yaml --measure`, where the trials will run",
    ]
    assert shown(plan)[-2:] == expected
    assert "    -> `frontier plan virtual.yaml --measure` finds out" in shown(plan)
    console = Console(record=True, width=200)
    allowance = pass_gate(plan, console)
    assert console.export_text().splitlines() == expected
    assert allowance is not None
    assert not allowance.hold()
    with_keys = Project(tmp_path).plan("seeds=1", **keys)
    assert shown(with_keys)[-1].endswith("--measure` and the same keys, where the trials will run")


def test_what_a_run_took_is_shown_beside_its_forecast(tmp_path: Path) -> None:
    forecast = Project(tmp_path).plan().forecast
    assert forecast.device_hours is not None
    told = forecast.model_copy(update={"device_hours": 41.2, "device_hours_interval": (38.0, 45.0)})
    assert taken(told, 42.0) == "forecast 41.2 (38-45) core-hours, took 42"
    assert taken(told.model_copy(update={"device_hours": None}), 42.0) == "took 42 core-hours"


def test_large_figures_are_never_powers_of_ten(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(budget={"core_hours": 12_345})
    large = plan.forecast.model_copy(
        update={
            "device_hours": 512.4,
            "device_hours_interval": (84.6, 3050.2),
            "money": 1234.5,
            "money_interval": (0.012, 99_999.0),
            "currency": "USD",
            "kwh": 999.7,
            "kwh_interval": (0.00004, 1e6),
            "wall_seconds": 1e7,
            "wall_interval": (1e6, 1e8),
        }
    )
    lines = "\n".join(forecast_lines(replace(plan, forecast=large)))
    assert "about 512 core-hours (84.6-3,050)" in lines
    assert "1,234.50 USD (0.012-99,999.00)" in lines
    assert "1,000 kWh (0.00004-1,000,000)" in lines
    assert "2,777 h 47 min" in lines
    assert not re.search(r"\de[+-]", lines)
    assert "12,345 core-hours; forecast" in "\n".join(shown(plan))
    assert taken(large, 3050.2) == "forecast 512 (84.6-3,050) core-hours, took 3,050"


def test_a_budget_that_no_figure_stands_for_is_blamed_where_it_was_written(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(budget={"gpu_hours": 1})
    with pytest.raises(ConfigError, match=r"virtual\.yaml: budget\.gpu_hours"):
        limits(plan)
    Project(tmp_path).plan()
    arguments = ["budget.gpu_hours=1", "budget.money=5"]
    asked = load_sweep(tmp_path / "virtual.yaml", arguments, cwd=tmp_path)
    with pytest.raises(ConfigError, match=r"command line: budget\.gpu_hours") as caught:
        limits(replace(plan, sweep=asked))
    assert "virtual.yaml" not in str(caught.value)


def test_each_row_shows_its_learning_rates(tmp_path: Path) -> None:
    methods = [{"name": "full", "learning_rate": 1e-3}, "lora", {"name": "ia3", "tune": TUNE}]
    methods[2]["tune"] = {"trials": 2, "space": {"learning_rate": [1e-3, 1e-2]}}  # type: ignore[index]
    rules = [{"match": {"task": "demo-ner", "method": "full"}, "set": {"learning_rate": 2e-3}}]
    plan = Project(tmp_path).plan(methods=methods, tasks=["demo-outcome", "demo-ner"], rules=rules)
    rows = [re.split(r"\s{2,}", line.strip()) for line in shown(plan)]
    assert [row[:4] for row in rows if row[0] in ("model", "demo-tiny")][:4] == [
        ["model", "domain", "method", "learning rate"],
        ["demo-tiny", "general", "full", "0.001, 0.002"],
        ["demo-tiny", "general", "lora-r8", "0.0003"],
        ["demo-tiny", "general", "ia3-tuned", "to be tuned"],
    ]
    found = plan_json(plan)["recipes"]
    assert found["demo-tiny/clinical/full/demo-ner"] == {"learning_rate": 2e-3, "optimiser_steps": 190}


def test_a_plan_of_eighty_columns_shows_the_rates_whole(tmp_path: Path) -> None:
    out = io.StringIO()
    show_plan(Project(tmp_path).plan(), Console(file=out, width=80))
    assert "learning rate" in out.getvalue()
    assert "3e-05" in out.getvalue()


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"epochs": 1}, "4 cells train for fewer than 100 optimiser steps (19); their scores say little"),
        ({"steps": 99}, "4 cells train for fewer than 100 optimiser steps (99); their scores say little"),
        (
            {"train_rows": 64},
            "4 cells train for fewer than 100 optimiser steps (10); their scores say little",
        ),
    ],
)
def test_cells_that_train_for_few_steps_are_named(tmp_path: Path, recipe: dict[str, Any], words: str) -> None:
    plan = Project(tmp_path).plan(recipe=recipe)
    [line] = starting(plan, "few steps")
    assert words in line
    assert line.endswith("(demo-tiny/general/full/demo-outcome and 3 more)")
    assert list(plan_json(plan)["few_steps"]) == plan_json(plan)["cells"]


@pytest.mark.parametrize(
    ("recipe", "fix"),
    [
        ({"epochs": 1}, "raise recipe.epochs from 1 to 6, or lower recipe.batch_size from 32 to 6"),
        ({"steps": 99}, "raise recipe.steps from 99 to 100 ("),
        ({"train_rows": 64}, "raise recipe.epochs from 5 to 50 ("),
    ],
)
def test_the_advice_on_few_steps_is_enough_and_no_more(
    tmp_path: Path, recipe: dict[str, Any], fix: str
) -> None:
    [line] = starting(Project(tmp_path).plan(recipe=recipe), "few steps")
    assert fix in line
    for key, enough in re.findall(r"recipe\.(\w+) from \d+ to (\d+)", line):
        fewer = int(enough) + (1 if key == "batch_size" else -1)
        for value, lines in ((int(enough), 0), (fewer, 1)):
            plan = Project(tmp_path).plan(recipe={**recipe, key: value})
            assert len(starting(plan, "few steps")) == lines, (key, value)


def test_a_plan_says_what_is_fetched_and_generated_before_anything_trains(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(models=["base", "demo-tiny"], domains=["general"], methods=["full"])
    assert starting(plan, "fetched first") == ["fetched first: bert-base (about 417.6 MiB)"]
    assert starting(plan, "generated first") == ["generated first: weights of demo-tiny-general"]
    rows = {row["item"]: row for row in plan_json(plan)["to_stage"]}
    assert rows["bert-base"]["hub"] == "google-bert/bert-base-uncased"
    assert rows["demo-tiny-general"] == {"item": "demo-tiny-general", "hub": None, "bytes": None}


@pytest.mark.parametrize("recipe", [{"epochs": 6}, {"steps": 100}, {"train_seconds": 1.0}, {"batch_size": 8}])
def test_nothing_is_said_of_steps_that_suffice_or_cannot_be_known(
    tmp_path: Path, recipe: dict[str, Any]
) -> None:
    plan = Project(tmp_path).plan(recipe=recipe)
    assert starting(plan, "few steps") == []
    assert plan_json(plan)["few_steps"] == {}


def test_what_the_command_line_changes_is_noted_in_the_plan(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan("methods=full,ia3", "seeds=3")
    assert starting(plan, "note") == [
        "note seeds=3 is one seed, number 3; for 3 seeds write seeds=1,2,3",
        "note seed 3 is not in virtual.yaml: added",
        "note ia3 is not in virtual.yaml: added with the catalogue's settings",
    ]
    assert len(plan_json(plan)["notes"]) == 3


@pytest.mark.parametrize(
    ("recipe", "steps"),
    [({"epochs": 2}, 14), ({"epochs": 2, "train_rows": 40}, 10), ({"steps": 9}, 9), ({"epochs": 20}, None)],
)
def test_few_steps_of_a_users_own_data_are_told_once_its_rows_are_counted(
    tmp_path: Path, recipe: dict[str, Any], steps: int | None
) -> None:
    (tmp_path / "own" / "tasks").mkdir(parents=True)
    (tmp_path / "own" / "tasks" / "mine.yaml").write_text(
        "title: x\nkind: classification\ndomain: clinical\nmetric: accuracy\nmax_length: 64\n"
        "reader: {format: csv, text: t, label: l, files: {train: [a.csv], dev: [b.csv], test: [c.csv]}}\n"
    )
    plan = Project(tmp_path).plan(catalogues=["own"], tasks=["mine"], recipe={"batch_size": 8, **recipe})
    waiting = starting(plan, "the number of optimiser steps")
    if "steps" not in recipe:
        assert starting(plan, "few steps") == []
        assert waiting == [
            "the number of optimiser steps of 4 cells is not known yet: `frontier stage` counts the rows"
        ]
    counts = {"mine": {64: {Split.TRAIN: SplitCounts(examples=52)}}}
    counted = replace(plan, inputs=plan.inputs.model_copy(update={"counts": counts}))
    assert starting(counted, "the number of optimiser steps") == []
    found = starting(counted, "few steps")
    assert [f"({steps});" in line for line in found] == ([] if steps is None else [True])


def test_the_plan_says_by_which_tokenizers_texts_were_counted_and_where_it_guesses(tmp_path: Path) -> None:
    (tmp_path / "own" / "tasks").mkdir(parents=True)
    (tmp_path / "own" / "tasks" / "mine.yaml").write_text(
        "title: x\nkind: classification\ndomain: clinical\nmetric: accuracy\nmax_length: 64\n"
        "reader: {format: csv, text: t, label: l, files: {train: [a.csv], dev: [b.csv], test: [c.csv]}}\n"
    )
    plan = Project(tmp_path).plan(catalogues=["own"], tasks=["mine"], methods=["full"])
    names = list(dict.fromkeys(cell.backbone.name for cell in plan.sweep.grid.cells))
    assert len(names) == 2
    assert starting(plan, "  tokens") == []
    counts = {"mine": {64: {Split.TRAIN: SplitCounts(examples=52, mean_words=10)}}}
    counted = replace(plan, inputs=plan.inputs.model_copy(update={"counts": counts}))
    guess = "  tokens       1.4 per word, guessed: no tokenizer on this machine has read mine"
    assert starting(counted, "  tokens") == [f"{guess} ({', '.join(names)})"]
    by_tokenizer = {"mine": {names[0]: TokenCounts(examples=50, mean=30.4, cut={64: 5})}}
    read = replace(plan, inputs=plan.inputs.model_copy(update={"counts": counts, "tokens": by_tokenizer}))
    assert starting(read, "  tokens") == [
        f"  tokens       mine: 30 per text by the tokenizer of {names[0]}, in a sample of 50 examples; 10% "
        "are cut at max_length 64",
        f"{guess} ({names[1]})",
    ]
    of_mine = {"examples": 50, "mean": 30.4, "cut": {"64": 5}, "read": {}}
    assert plan_json(read)["tokens"] == {"mine": {names[0]: of_mine}}


def test_the_plan_names_trials_that_take_longer_than_an_attempt_may(tmp_path: Path) -> None:
    keys = {"models": ["tiny", "base"], "tasks": ["demo-outcome"], "domains": ["general"], "seeds": [1]}
    project = Project(tmp_path)
    unlimited = project.plan(**keys)
    seconds = {item.trial.name: item.trial.forecast_seconds or 0.0 for item in unlimited.to_run}
    longest = max(seconds, key=seconds.__getitem__)
    others = [seconds[name] for name in seconds if name != longest]
    limit = (seconds[longest] + max(others)) / 2 / 3600
    assert plan_json(unlimited)["over_attempt_hours"] == []
    plan = project.plan(**keys, attempt_hours=limit, checkpoint_seconds=0)
    assert plan_json(plan)["over_attempt_hours"] == [longest]
    (line,) = starting(plan, "attempt_hours")
    assert line.startswith(
        f"attempt_hours 1 trial is forecast to take longer than {rounded(limit)} h, {longest} "
    )
    (fix,) = starting(plan, "    -> raise attempt_hours to ")
    assert starting(project.plan(**keys, attempt_hours=float(fix.split()[-1])), "attempt_hours") == []


def test_the_plan_says_how_much_of_whole_models_is_kept(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(models=["base"], tasks=["demo-outcome"], keep_gib=0.5)
    assert starting(plan, "  weights") == [
        "  weights      at most 512.0 MiB of whole models are kept (keep_gib: 0.5), and 417.6 MiB for each "
        "trial that runs"
    ]
    assert plan_json(plan)["weights"]["too_large"] == []


def test_all_seeds_of_a_cell_need_room_until_it_is_decided(tmp_path: Path) -> None:
    keys = {"models": ["base"], "tasks": ["demo-outcome"], "domains": ["general"], "methods": ["full"]}
    weights = plan_json(Project(tmp_path).plan(**keys, seeds=[1, 2, 3]))["weights"]
    assert weights["kept"] == 3 * weights["each"]


def test_the_plan_names_cells_whose_model_is_larger_than_keep_gib(tmp_path: Path) -> None:
    plan = Project(tmp_path).plan(models=["base"], tasks=["demo-outcome"], keep_gib=0.1)
    (line,) = starting(plan, "weights")
    assert line.startswith("weights the whole model of 2 cells is larger than keep_gib: 0.1 and is not saved")
    assert starting(plan, "  weights") == []


def test_the_plan_says_how_much_goes_to_mlflow_as_models(tmp_path: Path) -> None:
    keys = {"models": ["base"], "tasks": ["demo-outcome"], "domains": ["general"], "seeds": [1, 2]}
    project = Project(tmp_path)
    assert starting(project.plan(**keys), "  models") == []
    plan = project.plan(**keys, methods=["full", "lora"], log_models=True)  # a hub has the backbone
    assert starting(plan, "  models") == [
        "  models       those that are kept are also logged to MLflow (log_models): at most 835.3 MiB, and "
        "small adapters"
    ]
    of_full = plan_json(plan)["logged_bytes"]
    assert of_full == plan_json(plan)["weights"]["kept"]
    for method in (
        "head-only",
        "bitfit",
        "ln-tuning",
        "top-layers",
    ):  # exported with all that they left frozen
        plan = project.plan(**keys, methods=[method], log_models=True, keep_gib=0.1)
        assert plan_json(plan)["logged_bytes"] == of_full
    assert plan_json(project.plan(**keys, methods=["lora"], log_models=True))["logged_bytes"] == 0


@pytest.mark.parametrize("keys", [{"keep_weights": "adapters"}, {"methods": ["lora"]}])
def test_a_sweep_without_whole_models_says_nothing_of_them(tmp_path: Path, keys: dict[str, Any]) -> None:
    assert plan_json(Project(tmp_path).plan(**keys))["weights"] is None


def test_rows_per_class_without_known_classes_are_named_where_there_is_no_forecast(tmp_path: Path) -> None:
    files = {f"{split}.csv": table(*rows(split)) for split in ("train", "dev", "test")}
    write_task(tmp_path, files, TABLE)
    path = write_sweep(tmp_path, recipe={"epochs": 1, "train_rows_per_class": 2})
    said = " ".join(CliRunner().invoke(app, ["plan", str(path)]).output.split())
    assert "no forecast for 1 of them" in said
    assert "does not say how large their models are, or how many rows they train on" in said
