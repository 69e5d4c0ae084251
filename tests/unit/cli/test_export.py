"""`frontier export`: which trial it takes, and what it refuses before anything is written."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_builder import Fate, LedgerBuilder, task
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.export.choice import Chosen, choose
from orchestrator.contracts.outcome import Outcome
from orchestrator.contracts.readers import HoldOut, TableReader
from orchestrator.contracts.risks import Checked, Risk
from orchestrator.contracts.vocabulary import Sensitivity, Split
from orchestrator.errors import ConfigError
from orchestrator.report import build_report
from orchestrator.units import rounded_up

CELL = "tiny/clinical/lora-r8/outcome"


@pytest.fixture
def builder(tmp_path: Path) -> LedgerBuilder:
    builder = LedgerBuilder(tmp_path)
    builder.plan()
    builder.finish_all({CELL: 0.9})
    return builder


def chosen(
    builder: LedgerBuilder, cell: str | None = None, budget: float | None = None, seed: str = "best"
) -> Chosen:
    trials = list(builder.ledger.trials())
    return choose(build_report(builder.ledger.sweep(), trials), trials, cell, budget, seed)


def test_without_a_cell_the_recommended_one_is_taken(builder: LedgerBuilder) -> None:
    assert chosen(builder).point.cell.name == CELL
    assert chosen(builder, "outcome").point.cell.name == CELL


def test_a_named_cell_is_taken(builder: LedgerBuilder) -> None:
    assert chosen(builder, "mini/general/full/outcome").point.cell.name == "mini/general/full/outcome"


def test_a_cell_can_be_named_without_its_task_or_by_its_folder(builder: LedgerBuilder) -> None:
    assert chosen(builder, "mini/general/full").point.cell.name == "mini/general/full/outcome"
    folder = f"{builder.ledger.directory}/trials/mini/general/full/outcome/"
    assert chosen(builder, folder).point.cell.name == "mini/general/full/outcome"


def test_a_cell_of_two_tasks_is_named_with_its_task(tmp_path: Path) -> None:
    builder = LedgerBuilder(tmp_path)
    builder.plan(tasks=(task("outcome"), task("triage")))
    builder.finish_all()
    with pytest.raises(ConfigError, match="names 2 cells") as refused:
        chosen(builder, "mini/general/full")
    assert "name one of them: mini/general/full/outcome, mini/general/full/triage" in str(refused.value)


def test_best_and_median_go_by_dev(builder: LedgerBuilder) -> None:
    of_cell = [t for t in builder.ledger.trials() if t.planned.cell.name == CELL]
    dev = {t.planned.seed: _dev(t.outcome) for t in of_cell}
    ranked = sorted(dev, key=lambda seed: (dev[seed], -seed))
    assert chosen(builder, seed="best").trial.planned.seed == ranked[-1]
    assert chosen(builder, seed="median").trial.planned.seed == ranked[1]
    assert chosen(builder, seed="12").trial.planned.seed == 12


def test_of_folds_the_best_on_dev_is_taken_and_the_words_say_what_it_has_not_seen(tmp_path: Path) -> None:
    builder = LedgerBuilder(tmp_path)
    reader = TableReader(
        format="csv",
        files={Split.TRAIN: ("letters.csv",)},
        text="text",
        label="label",
        hold_out=HoldOut(dev=0.2, folds=3),
    )
    letters = task("letters").model_copy(update={"reader": reader})
    for place, trial in enumerate(builder.plan(["tiny"], ["general"], ["full"], [letters], [7, 8])):
        builder.attempt(trial, Fate(quality=(0.5, 0.9, 0.7, 0.6, 0.8, 0.95)[place]))
    best, named = chosen(builder), chosen(builder, seed="7")
    assert best.trial.name == "tiny/general/full/letters/seed-8-fold-3"
    assert best.how == "seed 8 with fold 3 of 3 left out, the best of 6 folds on dev"
    assert named.how == "seed 7 with fold 2 of 3 left out, as named"
    with pytest.raises(ConfigError, match="use best, median or one of: 7, 8"):
        chosen(builder, seed="9")


def test_a_seed_is_found_on_whatever_device_it_ran(tmp_path: Path) -> None:
    builder = LedgerBuilder(tmp_path)
    trials = builder.plan(["tiny"], ["general"], ["full"], seeds=[11, 12, 13])
    fates = [Fate(device_type="A100"), Fate(device_type="H100"), Fate(software={"torch": "2.14.0"})]
    for trial, fate in zip(trials, fates, strict=True):
        builder.attempt(trial, replace(fate, quality=0.8))
    found = [chosen(builder, trials[0].cell.name, seed=seed) for seed in ("11", "12", "13")]
    assert [each.trial.planned.seed for each in found] == [11, 12, 13]
    assert len({each.comparison.label for each in found}) == 3
    assert all(each.point.comparison == each.comparison.label for each in found)


def _dev(outcome: Outcome | None) -> float:
    assert outcome is not None
    value = outcome.dev[outcome.metric].value if outcome.dev else None
    return float("-inf") if value is None else value


def test_a_budget_takes_what_is_recommended_for_it(builder: LedgerBuilder) -> None:
    cheapest = chosen(builder, budget=0.02)
    assert cheapest.point.device_hours is not None
    assert cheapest.point.device_hours.mean <= 0.02


def test_the_least_budget_that_a_refusal_names_is_enough(builder: LedgerBuilder) -> None:
    with pytest.raises(ConfigError) as refused:
        chosen(builder, budget=1e-9)
    named = re.search(r"give at least ([\d.]+) \(.*which is (\S+)", str(refused.value))
    assert named is not None
    assert chosen(builder, budget=float(named[1])).point.name == named[2]


@given(st.floats(1e-6, 1e9))
def test_a_limit_is_rounded_up_to_two_digits(value: float) -> None:
    shown = float(rounded_up(value).replace(",", ""))
    assert value <= shown <= 1.11 * value


def test_a_budget_of_core_hours_and_gpu_hours_at_once_is_refused(tmp_path: Path) -> None:
    builder = LedgerBuilder(tmp_path)
    for trial in builder.plan(models=("tiny",), domains=("clinical",)):
        device = "cpu" if trial.cell.method == "full" else "NVIDIA A10G"
        builder.attempt(trial, Fate(quality=0.8, device_type=device))
    with pytest.raises(ConfigError, match="--at-budget: outcome has 2 comparisons") as refused:
        chosen(builder, budget=1000.0)
    assert "name a cell" in str(refused.value)


@pytest.mark.parametrize(
    ("cell", "budget", "seed", "said"),
    [
        ("tiny/clinical/lora-r8/outcom", None, "best", "did you mean 'tiny/clinical/lora-r8/outcome'?"),
        (CELL, 1.0, "best", "remove --at-budget"),
        (None, 1e-9, "best", "give at least"),
        (None, None, "99", "use best, median or one of: 11, 12, 13"),
    ],
)
def test_wrong_words_are_refused_with_the_fix(
    builder: LedgerBuilder, cell: str | None, budget: float | None, seed: str, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        chosen(builder, cell, budget, seed)
    assert said in str(refused.value)


def test_a_sweep_of_two_tasks_asks_for_one(tmp_path: Path) -> None:
    builder = LedgerBuilder(tmp_path)
    builder.plan(tasks=(task("outcome"), task("triage")))
    builder.finish_all()
    with pytest.raises(ConfigError, match="name a task, or a cell"):
        chosen(builder)


def test_what_was_not_kept_is_refused_and_nothing_is_written(builder: LedgerBuilder, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["export", str(builder.ledger.directory), "--out", str(out)]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, ConfigError)
    assert f"no weights of {CELL}/seed-" in str(done.exception)
    assert "pass --retrain" in str(done.exception)
    assert sorted(tmp_path.iterdir()) == [builder.ledger.directory]


def test_a_folder_that_is_there_is_not_written_over(builder: LedgerBuilder, tmp_path: Path) -> None:
    words = ["export", str(builder.ledger.directory), "--out", str(tmp_path)]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, ConfigError)
    assert "exists already" in str(done.exception)


def test_sensitive_data_are_not_trained_on_where_a_check_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `frontier run` refuses it."""
    builder = LedgerBuilder(tmp_path / "sweeps")
    notes = task("notes", invented=False).model_copy(update={"data": Sensitivity.SENSITIVE})
    builder.plan(models=("tiny",), domains=("clinical",), methods=("full",), tasks=(notes,))
    builder.finish_all()
    found = Checked(Risk.READABLE, "other accounts may read it", "chmod go= it")
    monkeypatch.setattr("orchestrator.cli.export.retrain.check_machine", lambda here: [found])
    words = ["export", str(builder.ledger.directory), "--retrain", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, ConfigError)
    assert "the data of notes are sensitive" in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["sweeps"]
    assert [path.name for path in (tmp_path / "sweeps").iterdir()] == [builder.name]
