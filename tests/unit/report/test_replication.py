"""Published results, and a sweep held against them."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder, backbone, task
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.cli.results.published import load_published
from orchestrator.config.catalogue import builtin_catalogue, load_catalogue
from orchestrator.contracts.backbone import RandomWeights
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.metrics import METRICS, MetricName, MetricValue
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import ConfigError
from orchestrator.report import Report, build_report, report_json
from orchestrator.report.analysis.equivalence import Equivalence, equivalence_test
from orchestrator.report.analysis.published import PublishedNumber, is_cost, read_published
from orchestrator.report.statistics.summary import summarise

# One number or more of each table, read off the source by hand.
SPOTS = """
peft base biomedical full i2b2-2010-re micro_f1_with_negative median 0.935 0.004 3 test
peft distil biomedical lora icd9-triage macro_f1 median 0.855 0.005 3 test
peft mobile biomedical ia3 mimic-los macro_auroc median 0.639 0.001 3 test
peft tiny biomedical lora mimic-mortality macro_auroc median 0.764 0.003 3 test
peft tiny biomedical ia3 i2b2-2014-deid subword_f1 median 0.715 0.002 3 test
peft-auroc distil biomedical lora i2b2-2010-re macro_auroc mean 0.987 - 3 test
peft-auroc tiny biomedical ia3 icd9-triage macro_auroc mean 0.937 - 3 test
peft-ner mobile biomedical lora i2b2-2012-ner subword_f1 max 0.655 - 3 test
peft-ner base biomedical full i2b2-2010-ner subword_f1 single 0.822 - 1 test
prefix tiny biomedical prefix i2b2-2010-re macro_auroc single 0.696 - 1 test
prefix distil-bert biomedical prefix mimic-mortality macro_auroc single 0.623 - 1 test
prompt mobile biomedical prompt i2b2-2010-re micro_f1_with_negative single 0.8537 - 1 test
domain distil clinical lora mimic-mortality macro_auroc best-of-repeats 0.836 - - test
domain base general full i2b2-2014-deid subword_f1 best-of-repeats 0.974 - - test
domain mobile biomedical full i2b2-2010-ner subword_f1 best-of-repeats 0.794 - - test
domain llama-2-7b general lora mimic-mortality macro_auroc best-of-repeats 0.838 - - test
domain roberta general lora mimic-mortality macro_auroc best-of-repeats 0.825 - - test
domain distil-bert biomedical lora i2b2-2012-ner subword_f1 best-of-repeats 0.688 - - test
domain-dev tiny clinical lora i2b2-2010-re micro_f1_with_negative best-of-repeats 0.901 - - dev
domain-dev base biomedical full i2b2-2010-re micro_f1_with_negative best-of-repeats 0.938 - - dev
time-budget tiny biomedical full mimic-mortality macro_auroc single 0.8163 - 1 dev
time-budget llama-2-7b general lora mimic-mortality seconds_to_best single 27786 - 1 train
time-budget mobile biomedical lora mimic-mortality total_flops single 8.56e15 - 1 train
time-budget-test distil biomedical lora mimic-mortality macro_auroc max 0.822 - - test
wall-time base biomedical full mimic-mortality wall_seconds mean 3778 - 3 train
wall-time mobile biomedical prompt i2b2-2010-re wall_seconds single 942 - 1 train
"""
SIZES = {
    "peft": 12 * 5,
    "peft-auroc": 11 * 2,
    "peft-ner": 12 * 3,
    "prefix": 3 * 4,
    "prompt": 4,
    "domain": 12 * 2 * 7 + 1 + 2 + 2 * 7,
    "domain-dev": 12 * 2,
    "time-budget": 9 * 4,
    "time-budget-test": 11,
    "wall-time": 8 + 4 + 19 + 2,
}


def rows() -> list[dict[str, str]]:
    with (builtin_catalogue() / "published" / "taylor-2024.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_tables_hold_what_was_published():
    keys = [
        "source_table",
        "model",
        "domain",
        "method",
        "task",
        "metric",
        "statistic",
        "value",
        "sd",
        "n",
        "split",
    ]
    found = {tuple(row[key] or "-" for key in keys) for row in rows()}
    assert {tuple(line.split()) for line in SPOTS.strip().splitlines()} <= found
    tables = [row["source_table"] for row in rows()]
    assert {name: tables.count(name) for name in tables} == SIZES
    cells = [
        tuple(row[key] for key in keys if key not in ("value", "sd", "n", "statistic")) for row in rows()
    ]
    assert len(set(cells)) == len(cells)


def test_scores_are_shares_and_every_name_is_in_the_catalogue():
    catalogue = load_catalogue()
    for row in rows():
        assert (row["model"], row["domain"]) in catalogue.backbones
        assert row["method"] in catalogue.methods
        spec = catalogue.tasks[row["task"]].spec
        if is_cost(row["metric"]):
            assert float(row["value"]) > 1
            continue
        assert 0 < float(row["value"]) < 1
        assert spec.kind in METRICS[MetricName(row["metric"])].kinds


def test_each_table_of_the_numbers_has_its_title():
    found = load_published("taylor-2024")
    assert {number.source_table for number in found.numbers} == set(found.sheet.tables)


class Study:
    """Two biomedical sizes under three methods, on a relation task and an entity task."""

    def __init__(self, directory: Path, recipe: Recipe | None = None, seeds: int = 3) -> None:
        self.built = LedgerBuilder(directory, "study")
        tasks = [
            task("i2b2-2010-re", TaskKind.RELATION, invented=False),
            task("i2b2-2014-deid", TaskKind.NER, invented=False),
        ]
        self.built.plan(
            ["base", "tiny"],
            ["biomedical"],
            ["full", "lora-r8", "lora-r16"],
            tasks,
            range(seeds),
            recipe=recipe,
        )
        real = {f"{m}/biomedical": backbone(m, "biomedical", made=False) for m in ("base", "tiny")}
        self.built.sweep = self.built.sweep.model_copy(update={"backbones": real})
        self.built.ledger.write_sweep(self.built.sweep)

    def run(self, scores: dict[str, list[float]], metric: MetricName) -> None:
        """`scores` by the cell's name, one a seed."""
        for trial in self.built.sweep.trials:
            if trial.cell.name in scores:
                value = {metric: MetricValue(value=scores[trial.cell.name][trial.seed])}
                self.built.attempt(trial, Fate(quality=0.5, outcome={"test": value, "dev": value}))

    def report(self, against: str = "taylor-2024") -> Report:
        ledger = self.built.ledger
        return build_report(ledger.sweep(), ledger.trials(), (), load_published(against))


FULL, LORA = "base/biomedical/full/i2b2-2010-re", "base/biomedical/lora-r8/i2b2-2010-re"


def test_numbers_beside_ours_agree_differ_or_are_open(tmp_path):
    study = Study(tmp_path)
    study.run({FULL: [0.93, 0.94, 0.95], LORA: [0.90, 0.90, 0.901]}, MetricName.MICRO_F1_WITH_NEGATIVE)
    found = study.report().replication
    peft = {row.cell: row for row in found.rows if row.published.source_table == "peft"}
    assert set(peft) == {FULL, LORA}
    assert peft[FULL].ours.mean == pytest.approx(0.94)
    assert peft[FULL].difference == pytest.approx(0.94 - 0.935)
    assert peft[FULL].verdict is Equivalence.OPEN  # it may be 2 points above, or below
    assert peft[LORA].verdict is Equivalence.DIFFERS
    assert peft[LORA].interval[1] < -0.01
    dev = {row.cell: row.published.value for row in found.rows if row.published.split == Split.DEV}
    assert dev == {FULL: 0.938, LORA: 0.925}
    assert len(found.rows) + sum(found.left_out.values()) == found.published == len(rows())
    assert found.left_out["the cell has no result yet"] > 0
    assert found.left_out["no such cell in this sweep"] > 300
    assert any(p.topic == "entity scores" for p in found.protocol)


def test_one_seed_has_no_interval(tmp_path):
    study = Study(tmp_path, seeds=1)
    study.run({FULL: [0.935]}, MetricName.MICRO_F1_WITH_NEGATIVE)
    found = study.report().replication
    assert {(row.interval, row.why) for row in found.rows} == {(None, "ours is one seed")}
    command = ["report", "study", "--storage", str(tmp_path), "--against", "taylor-2024"]
    printed = " ".join(CliRunner().invoke(app, command).stdout.split())
    assert f"0 agree within 1 point, 0 differ by more, {len(found.rows)} are open" in printed


def test_other_settings_budgets_and_metrics_never_stand_beside(tmp_path):
    study = Study(tmp_path / "rank")
    study.run({LORA.replace("r8", "r16"): [0.92] * 3}, MetricName.MICRO_F1_WITH_NEGATIVE)
    assert study.report().replication.rows == ()
    study = Study(tmp_path / "entity")
    study.run({"tiny/biomedical/full/i2b2-2014-deid": [0.9] * 3}, MetricName.ENTITY_F1)
    found = study.report().replication
    assert found.rows == ()
    assert found.left_out["subword_f1 was not scored"] > 0
    for key, value in (("train_seconds", 600), ("train_rows", 100)):
        study = Study(tmp_path / key, Recipe.model_validate({"learning_rate": 1e-4, key: value}))
        study.run({FULL: [0.93] * 3}, MetricName.MICRO_F1_WITH_NEGATIVE)
        assert study.report().replication.rows == ()


def test_the_auroc_of_relations_stands_beside_ours(tmp_path):
    study = Study(tmp_path)
    study.run({"tiny/biomedical/full/i2b2-2010-re": [0.96, 0.97, 0.98]}, MetricName.MACRO_AUROC)
    rows = [r for r in study.report().replication.rows if r.published.metric == MetricName.MACRO_AUROC]
    assert {r.published.source_table for r in rows} == {"peft-auroc", "domain"}
    assert all(r.published.task == "i2b2-2010-re" and r.ours.mean == pytest.approx(0.97) for r in rows)


def test_a_time_budget_stands_beside_the_same_budget_only(tmp_path):
    for seconds, expected in ((6000, {"base"}), (2000, {"tiny"}), (600, set())):
        built = LedgerBuilder(tmp_path, f"within-{seconds}")
        mortality = task("mimic-mortality", invented=False).model_copy(
            update={"metric": MetricName.MACRO_AUROC}
        )
        recipe = Recipe(learning_rate=1e-4, train_seconds=seconds)
        built.plan(["base", "tiny"], ["biomedical"], ["full"], [mortality], seeds=[1, 2], recipe=recipe)
        dev = {MetricName.MACRO_AUROC: MetricValue(value=0.8)}
        for trial in built.sweep.trials:
            built.attempt(trial, Fate(quality=0.5, outcome={"dev": dev}))
        found = build_report(built.ledger.sweep(), built.ledger.trials(), (), load_published("taylor-2024"))
        rows = [r for r in found.replication.rows if r.published.source_table == "time-budget"]
        assert {r.published.model for r in rows} == expected
        assert {r.published.split for r in rows} <= {"dev"}


def test_llama_is_compared_as_it_was_run(tmp_path):
    """Rank 16 and alpha 32 within 12 hours; rank 8, or another budget, is another thing."""
    for method, seconds, expected in (
        ("lora-r16", 43_200, {"domain", "time-budget", "time-budget-test"}),
        ("lora-r16", None, {"time-budget-test"}),
        ("lora-r8", 43_200, set()),
    ):
        built = LedgerBuilder(tmp_path, f"{method}-{seconds}")
        mortality = task("mimic-mortality", invented=False).model_copy(
            update={"metric": MetricName.MACRO_AUROC}
        )
        keys = {"learning_rate": 5e-5, "batch_size": 16, "warmup_ratio": 0.0, "schedule": "constant"}
        recipe = Recipe.model_validate(
            keys | {"train_seconds": seconds, "max_length": 480, "precision": "bf16"}
        )
        built.plan(["llama-2-7b"], ["general"], [method], [mortality], seeds=[1, 2], recipe=recipe)
        real = {"llama-2-7b/general": backbone("llama-2-7b", "general", made=False)}
        settings = Lora(rank=16, alpha=32) if method != "lora-r8" else Lora(rank=8)
        spec = built.sweep.methods[method].model_copy(update={"settings": settings, "entry": "lora"})
        built.sweep = built.sweep.model_copy(update={"backbones": real, "methods": {method: spec}})
        built.ledger.write_sweep(built.sweep)
        scores = {MetricName.MACRO_AUROC: MetricValue(value=0.84)}
        for trial in built.sweep.trials:
            built.attempt(trial, Fate(quality=0.84, outcome={"dev": scores, "test": scores}))
        found = build_report(built.ledger.sweep(), built.ledger.trials(), (), load_published("taylor-2024"))
        assert {row.published.source_table for row in found.replication.rows} == expected
        if expected and seconds:
            assert {row.remark for row in found.replication.rows} == {None}


def test_a_recipe_that_differs_is_remarked(tmp_path):
    study = Study(
        tmp_path, Recipe(learning_rate=3e-5, epochs=1, batch_size=32, max_length=480, precision="fp32")
    )
    study.run({FULL: [0.93, 0.94, 0.95]}, MetricName.MICRO_F1_WITH_NEGATIVE)
    assert {row.remark for row in study.report().replication.rows} == {"epochs 1, theirs 5"}
    assert study.report().replication.protocol[0].topic != "weights"


def test_stand_in_weights_are_named_before_everything_else(tmp_path):
    study = Study(tmp_path)
    sweep = study.built.sweep
    random = {
        key: b.model_copy(update={"weights": RandomWeights(architecture="bert")})
        for key, b in sweep.backbones.items()
    }
    study.built.sweep = sweep.model_copy(update={"backbones": random})
    study.built.ledger.write_sweep(study.built.sweep)
    study.run({FULL: [0.93, 0.94, 0.95]}, MetricName.MICRO_F1_WITH_NEGATIVE)
    found = study.report().replication
    assert found.protocol[0].topic == "weights"
    assert all(row.remark.startswith("stand-in weights") for row in found.rows)


def test_a_table_of_ones_own_works_and_reaches_every_file(tmp_path):
    study = Study(tmp_path)
    study.run({FULL: [0.93, 0.94, 0.95]}, MetricName.MICRO_F1_WITH_NEGATIVE)
    mine = tmp_path / "mine.csv"
    mine.write_text(
        "model,domain,method,task,metric,value,note\n"
        "base,biomedical,full,i2b2-2010-re,micro_f1_with_negative,0.5,<b>ours|old</b>\n"
    )
    command = ["report", "study", "--storage", str(tmp_path), "--against", str(mine), "--json"]
    printed = json.loads(CliRunner().invoke(app, command).stdout)
    [row] = printed["replication"]["rows"]
    assert (row["value"], row["verdict"], row["cell"], row["ours"]["seeds"]) == (0.5, "differs", FULL, 3)
    assert printed["replication"]["differs"] == 1
    written = tmp_path / "study" / "report"
    assert "0.500" in (written / "report.html").read_text()
    assert "<b>ours" not in (written / "report.html").read_text()
    assert "ours\\|old" in (written / "report.md").read_text()
    assert json.loads((written / "report.json").read_text())["replication"]["published"] == 1


def test_without_the_option_there_is_no_such_section(tmp_path):
    built = Study(tmp_path).built
    report = build_report(built.ledger.sweep(), built.ledger.trials())
    assert report.replication is None
    assert report_json(report)["replication"] is None


def test_every_mistake_of_a_published_table_is_named(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(
        "model,domain,method,task,metric,value,n,split\n"
        "base,biomedical,full,x,macro_aurok,high,3,test\n"
        "base,,full,x,macro_f1,0.5,1.5,valid\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_published(path)
    text = str(caught.value)
    for part in (
        "line 2, value: is not a number, got 'high'",
        "line 2, metric: unknown metric, got 'macro_aurok'\n    -> did you mean 'macro_auroc'?",
        "line 3, domain: is empty",
        "line 3, n: cannot be 1.5",
        "line 3, split: unknown split, got 'valid'",
    ):
        assert part in text


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(ConfigError, match=r"did you mean 'taylor-2024'\?"):
        load_published("taylor2024")


def test_an_unknown_name_is_told_with_what_there_is() -> None:
    with pytest.raises(ConfigError) as caught:
        load_published("unknwn")
    assert "use one of: taylor-2024; a CSV file of your own works too" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        load_published("taylor-2042")
    assert "did you mean 'taylor-2024'? a CSV file of your own works too" in str(caught.value)


def test_a_published_maximum_is_held_against_the_maximum_that_ours_would_have():
    number = PublishedNumber(
        source_table="", model="m", domain="d", method="full", task="t", metric="accuracy",
        statistic="max", value=0.85, n=3,
    )  # fmt: skip
    ours = summarise([0.849, 0.850, 0.851])
    held = equivalence_test(ours, number)
    assert held.difference == pytest.approx(3 / (2 * math.sqrt(math.pi)) * 0.001)
    assert (held.verdict, held.why) == (Equivalence.AGREES, "our expected maximum of 3")
    unknown = equivalence_test(ours, number.model_copy(update={"statistic": "best-of-repeats", "n": None}))
    assert (unknown.interval, unknown.verdict) == (None, Equivalence.OPEN)
    assert unknown.why == "theirs is the maximum of an unknown number of runs"
    failed = equivalence_test(ours.model_copy(update={"failed": 1}), number)
    assert (failed.interval, failed.verdict, failed.why) == (
        None,
        Equivalence.OPEN,
        "1 of our 3 seeds failed",
    )
    mean = equivalence_test(ours, number.model_copy(update={"statistic": "mean", "sd": 0.001}))
    assert mean.interval == pytest.approx((-0.00174, 0.00174), abs=2e-5)  # Welch, 4 degrees of freedom
