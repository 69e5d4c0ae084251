"""What an attempt counts of its splits, and what staging says of them before any trial starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from split_tasks import TABLE, rows, table, write_sweep, write_task
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import ConfigError
from workers.runtime.attempt import run_attempt


def test_mentions_beyond_the_cut_are_those_that_the_model_does_not_see_whole(lab, outcome_of):
    """In the tiny tokenizer `today` is one token, `monday` two; [CLS] and [SEP] take two of the six."""
    fever, rest = ["fever\tB-sign"], ["today\tO"]
    long = ["cough\tB-sign", "no\tI-sign"]
    sentences = [
        rest * 3 + fever + rest + fever,  # the fourth word is the last one seen
        rest * 3 + long,  # cut in the midst of the mention
        ["monday\tO", "monday\tO", *fever],  # four tokens are two words
        fever + rest * 3,  # all of it is seen
    ]
    (lab.data / "test.tsv").write_text("\n\n".join("\n".join(lines) for lines in sentences) + "\n")
    order = lab.order(kind=TaskKind.NER, recipe={"max_length": 6, "epochs": 1})
    run_attempt(order)
    found = outcome_of(order).splits[Split.TEST]
    assert (found.examples, found.cut, found.mentions, found.mentions_cut) == (4, 3, 5, 3)
    assert (found.max_length, found.counted_in) == (6, "tokens")
    assert found.recall_ceiling == pytest.approx(0.4)


def test_rows_that_a_trial_trained_on_are_counted_after_its_caps(lab, outcome_of):
    lines = (lab.data / "train.jsonl").read_text().splitlines()
    kept = [json.dumps(json.loads(line) | {"label": "ill"}) for line in lines[:5]]
    (lab.data / "test.jsonl").write_text("\n".join([*lines[:2], *kept]) + "\n")
    whole, few = lab.order(recipe={"epochs": 1}), lab.order(recipe={"epochs": 1, "train_rows": 2})
    for order in (whole, few):
        run_attempt(order)
    assert outcome_of(whole).splits[Split.TEST].also_in_train == 7
    assert outcome_of(few).splits[Split.TEST].also_in_train <= 2
    assert outcome_of(whole).splits[Split.TRAIN].also_in_train is None


THREE = ("a", "b", "c")


def files(test: tuple[str, ...]) -> dict[str, str]:
    return {
        "train.csv": table(*rows("train", 12, THREE)),
        "dev.csv": table(*rows("dev", 12, THREE)),
        "test.csv": table(*rows("test", 12, test), *rows("train", 3, THREE)[: len(test)]),
    }


def test_a_run_stops_before_its_first_trial_where_a_class_has_no_row(tmp_path: Path) -> None:
    write_task(tmp_path, files(THREE[:2]), TABLE, metric="macro_auroc")
    words = ["run", str(write_sweep(tmp_path)), "--launcher", "local"]
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, ConfigError)
    assert "test has no macro_auroc: 1 of the 3 classes has no row in it ('c')" in str(error)
    again = CliRunner().invoke(app, words).exception  # its weights are there now
    assert str(again) == str(error)
    capped = ["stage", str(write_sweep(tmp_path, recipe={"dev_rows": 2})), "tasks=[mine]"]
    write_task(tmp_path, files(THREE), TABLE, metric="macro_auroc")
    error = CliRunner().invoke(app, capped).exception
    assert "dev under dev_rows 2 has no macro_auroc: 1 of the 3 classes" in str(error)
    assert not list((tmp_path / "sweeps").rglob("outcome.json"))


def test_a_plan_says_what_staging_has_counted(tmp_path: Path) -> None:
    write_task(tmp_path, files(THREE), TABLE, max_length=5, mean_tokens=5, train_examples=15)
    sweep = str(write_sweep(tmp_path))
    shown = CliRunner().invoke(app, ["plan", sweep, "--json"])
    assert json.loads(shown.stdout)["caveats"] == {
        "mine": [
            "Texts are cut: on average they have 5 tokens (mean_tokens of the task), and max_length is 5."
        ]
    }
    staged = CliRunner().invoke(app, ["stage", sweep])
    assert staged.exception is None
    [lines] = json.loads(CliRunner().invoke(app, ["plan", sweep, "--json"]).stdout)["caveats"].values()
    assert "3 of 15 test texts are also in train." in lines
    assert "At least 15 of 15 test texts are cut at 5 tokens." in lines
    assert "mine: 3 of 15 test texts are also in train." in CliRunner().invoke(app, ["plan", sweep]).stdout
