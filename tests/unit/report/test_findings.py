"""What the report says beside the frontier: from real ledgers, read back from the report and its files."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from ledger_builder import Fate, LedgerBuilder, lora_ranks, task

from orchestrator.contracts.backbone import Lineage
from orchestrator.contracts.metrics import MetricName, MetricValue
from orchestrator.contracts.outcome import Device, Origin
from orchestrator.contracts.phase_work import PhaseWork
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.tuning import Tuned
from orchestrator.contracts.vocabulary import (
    FailureKind,
    Figure,
    Phase,
    Precision,
    Signature,
    Source,
    TaskKind,
)
from orchestrator.report import Report, build_report, report_json, write_report
from orchestrator.report.render.frontier_plot import plot, style
from orchestrator.report.results.phases import TITLES

TRAINED = {"phases": {Phase.TRAIN: 36.0}, "seconds": 40.0}


def report_of(built: LedgerBuilder) -> Report:
    return build_report(built.ledger.sweep(), built.ledger.trials())


def files_of(built: LedgerBuilder) -> dict[str, str]:
    written = write_report(report_of(built), built.ledger.directory / "report")
    return {kind: path.read_text() for kind, path in written.items()}


def change(built: LedgerBuilder, **fields: Any) -> None:
    """Before the attempts: other backbones, recipes … than the builder plans."""
    built.sweep = built.sweep.model_copy(update=fields)
    built.ledger.write_sweep(built.sweep)


@pytest.fixture
def built(tmp_path: Path) -> LedgerBuilder:
    return LedgerBuilder(tmp_path)


def test_a_backbone_that_saw_the_corpus_is_flagged_wherever_its_scores_stand(built):
    mimic = task("mortality", invented=False).model_copy(update={"corpus": "mimic-iii"})
    built.plan(["tiny"], ["general", "clinical"], ["full"], [mimic, task("other")], seeds=[1, 2])
    saw = {
        key: b.model_copy(update={"saw": ("mimic-iii",) if b.domain == "clinical" else ("pubmed",)})
        for key, b in built.sweep.backbones.items()
    }
    change(built, backbones=saw)
    built.finish_all({"tiny/clinical/full/mortality": 0.9, "tiny/general/full/mortality": 0.5})
    mortality, other = report_of(built).tasks
    assert {p.cell.domain: p.saw for p in mortality.points} == {"clinical": "mimic-iii", "general": None}
    assert {p.saw for p in other.points} == {None}
    assert "its backbone saw mimic-iii in pretraining" in mortality.answers[0]
    assert any(n.startswith("Contamination: the pretraining of tiny-clinical read") for n in mortality.notes)
    files = files_of(built)
    assert files["html"].count("saw mimic-iii in pretraining") >= 3  # answer, table, hover
    assert "saw mimic-iii in pretraining" in files["markdown"]
    table = list(csv.DictReader(files["csv"].splitlines()))
    assert [
        r["saw_in_pretraining"] for r in table if r["domain"] == "clinical" and r["task"] == "mortality"
    ] == ["mimic-iii"]


def test_a_search_is_priced_apart_and_shared_out_over_the_seeds(built):
    built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1, 2])
    name = "tiny/general/ia3/outcome"
    search = Tuned(
        values={"learning_rate": 0.002},
        candidate=3,
        metric=MetricName.MACRO_F1,
        dev_quality=0.7,
        candidates=9,
        failed=1,
        device_seconds=7200,
        device_type="cpu",
    )
    change(built, tuned={name: search})
    for trial in built.sweep.trials:
        built.attempt(trial, Fate(quality=0.6, **TRAINED))
    [found] = report_of(built).tasks
    [cell] = found.tuned
    assert (cell.cell, cell.candidates, cell.failed, cell.share) == ("tiny/general/ia3", 9, 1, 1.0)
    costs = {p.cell.method: (p.device_hours.mean, p.with_tuning) for p in found.points}
    assert costs["full"] == (pytest.approx(0.01), None)
    assert costs["ia3"] == (pytest.approx(0.01), pytest.approx(1.01))
    assert "Tuned first" in files_of(built)["html"]
    assert "learning_rate 0.002" in files_of(built)["markdown"]


def test_a_search_on_another_device_is_not_added_to_the_cost(built):
    built.plan(["tiny"], ["general"], ["full"], seeds=[1])
    search = Tuned(
        values={"learning_rate": 0.002},
        candidate=1,
        metric=MetricName.MACRO_F1,
        dev_quality=0.7,
        candidates=2,
        device_seconds=7200,
        device_type="Some GPU",
    )
    change(built, tuned={"tiny/general/full/outcome": search})
    built.finish_all()
    [point] = report_of(built).tasks[0].points
    assert point.with_tuning is None


def test_how_training_went_is_counted_by_point_and_collapses_are_listed(built):
    trials = built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2, 3, 4])
    for trial, signature in zip(
        trials, [Signature.COLLAPSED, Signature.IMPROVING, Signature.CONVERGED], strict=False
    ):
        built.attempt(trial, Fate(quality=0.5, outcome={"signature": signature}))
    built.attempt(trials[3], Fate(failure=FailureKind.COLLAPSED))
    report = report_of(built)
    [point] = report.tasks[0].points
    assert point.signatures == {
        Signature.COLLAPSED: 1,
        Signature.IMPROVING: 1,
        Signature.CONVERGED: 1,
    }
    assert report.collapsed == (trials[0].name, trials[3].name)
    page = files_of(built)
    assert "2 of 4 seeds collapsed; 1 of 3 seeds still rising at the end" in page["markdown"]
    assert "Collapsed trials: one class for everything (2)" in page["html"]
    [row] = csv.DictReader(page["csv"].splitlines())
    assert (row["seeds_collapsed"], row["seeds_plateaued"], row["seeds_failed"]) == ("1", "0", "2")


def test_refused_cells_stand_by_reason(built):
    def cell(model: str, method: str) -> Cell:
        return Cell(model=model, domain="general", method=method, task="outcome")

    refused = {
        cell("tiny", "ia3"): "no targets",
        cell("mini", "ia3"): "no targets",
        cell("mini", "lora-r8"): "too large",
    }
    built.plan(["tiny", "mini"], ["general"], ["full", "lora-r8", "ia3"], seeds=[1], refused=refused)
    [found] = report_of(built).tasks
    assert [(g.reason, len(g.cells)) for g in found.refusals] == [("no targets", 2), ("too large", 1)]
    files = files_of(built)
    for kind in ("html", "markdown"):
        assert files[kind].count("no targets") == 1


def test_capped_rows_say_what_was_reached(built):
    trials = built.plan(
        ["tiny"],
        ["general"],
        ["full"],
        seeds=[1, 2],
        recipe=Recipe(learning_rate=1e-4, train_rows_per_class=64),
    )
    for trial, rows in zip(trials, (120, 114), strict=True):
        counts = {"yes": 64, "no": rows - 64}
        outcome = {
            "rows": {"train": rows, "train_available": 4000, "test": 50, "skipped_test": 2},
            "train_classes": counts,
        }
        built.attempt(trial, Fate(quality=0.5, outcome=outcome))
    [found] = report_of(built).tasks
    [point] = found.points
    assert (point.train_rows, point.class_rows) == ((114, 120), (50, 64))
    assert "114 to 120 training rows, 50 to 64 a class" in files_of(built)["markdown"]
    assert "2 malformed records of test left out (on_bad_record: skip)." in found.notes
    assert report_json(report_of(built))["tasks"][0]["points"][0]["rows_of_a_class"] == [50, 64]


def test_an_uncapped_cell_does_not_speak_of_rows(built):
    built.plan(["tiny"], ["general"], ["full"], seeds=[1])
    built.finish_all()
    assert "training rows" not in files_of(built)["markdown"]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("steps", 500, "500 steps"), ("train_seconds", 2000, "2,000 s of training")],
)
def test_a_budget_other_than_epochs_is_named(built, key, value, words):
    recipe = Recipe.model_validate({"learning_rate": 1e-4, key: value})
    built.plan(["tiny"], ["general"], ["full"], seeds=[1], recipe=recipe)
    built.finish_all()
    assert f"budget {words}" in files_of(built)["markdown"]
    assert any("not by epochs" in note for note in report_of(built).tasks[0].notes)


def test_a_varied_setting_becomes_an_axis_with_a_line_for_all_else_alike(built):
    built.plan(["tiny", "mini"], ["general"], ["full", *lora_ranks([4, 8, 16])], seeds=[1, 2])
    built.finish_all()
    [axis] = report_of(built).tasks[0].axes
    assert axis.key == "rank"
    assert [s.label for s in axis.series] == ["mini/general lora", "tiny/general lora"]
    assert [[v.value for v in s.values] for s in axis.series] == [[4, 8, 16]] * 2
    files = files_of(built)
    assert '"axis-0-0"' in files["html"]
    assert "### Quality against rank" in files["markdown"]


def test_a_varied_key_of_the_recipe_is_an_axis_and_a_tuned_one_is_not(built):
    built.plan(["tiny"], ["general"], lora_ranks([4, 8]), seeds=[1, 2])
    small, large = sorted(built.sweep.recipes)
    recipes = {
        small: Recipe(learning_rate=1e-4),
        large: Recipe(learning_rate=5e-4),
    }
    change(built, recipes=recipes)
    built.finish_all()
    assert report_of(built).tasks[0].axes == ()  # two things differ at once
    searched = {
        name: Tuned(
            values={"learning_rate": recipes[name].learning_rate},
            candidate=1,
            metric=MetricName.MACRO_F1,
            dev_quality=0.5,
            candidates=5,
            device_seconds=10,
            device_type="cpu",
        )
        for name in recipes
    }
    change(built, tuned=searched)
    assert [axis.key for axis in report_of(built).tasks[0].axes] == ["rank"]


def test_a_student_stands_beside_its_teacher_under_each_method(built):
    built.plan(["tiny", "base"], ["general"], ["full", "lora-r8"], seeds=[1, 2, 3])
    lineage = {
        key: b.model_copy(update={"lineage": Lineage(teacher="base-general")}) if b.model == "tiny" else b
        for key, b in built.sweep.backbones.items()
    }
    change(built, backbones=lineage)
    for trial in built.sweep.trials:
        base = trial.cell.model == "base"
        quality = (0.8 if base else 0.7) + 0.001 * trial.seed * (2 if base else 1)
        if trial.cell.method == "lora-r8":  # each 95 % interval over seeds is apart, and the pairs scatter
            quality += 0.06 * (1 if base else -1) * (trial.seed == 1)
        built.attempt(trial, Fate(quality=quality, seconds=100 if base else 20))
    report = report_of(built)
    found = report.tasks[0].pairs
    assert [(p.student, p.teacher, p.method) for p in found] == [
        ("tiny/general", "base/general", "full"),
        ("tiny/general", "base/general", "lora-r8"),
    ]
    assert found[0].difference == pytest.approx(-0.102)
    assert found[0].cost_ratio == pytest.approx(0.2)
    [family] = [f for f in report.tasks[0].claims if f.name == "teachers"]
    verdicts = {c.better.split("/")[2]: c.distinguishable for c in family.claims}
    page = write_report(report, built.ledger.directory / "report")["markdown"].read_text()
    rows = re.findall(r"^\| tiny/general \| base/general \| (\S+) .* \| (\S[^|]*) \|$", page, re.MULTILINE)
    said = {True: "distinguishable", False: "not distinguishable", None: "not testable"}
    assert dict(rows) == {method: said[verdict] for method, verdict in verdicts.items()}
    assert len(set(verdicts.values())) == 2


def test_domains_are_compared_over_the_same_models_and_methods_only(built):
    clinical = task("notes", invented=False)
    legal = task("contracts", invented=False).model_copy(update={"domain": "legal"})
    built.plan(["tiny", "mini"], ["clinical", "legal"], ["full"], [clinical, legal], seeds=[1])
    scores = {
        "tiny/clinical/full/notes": 0.8,
        "tiny/legal/full/notes": 0.6,
        "mini/clinical/full/notes": 0.9,  # its legal sister has no score
        "tiny/clinical/full/contracts": 0.5,
        "tiny/legal/full/contracts": 0.75,
    }
    for trial in built.sweep.trials:
        if trial.cell.name in scores:
            built.attempt(trial, Fate(quality=scores[trial.cell.name]))
    matrix = report_of(built).domains
    by_task = {column.task: column for column in matrix.columns}
    assert by_task["notes"].combinations == 1
    assert by_task["notes"].quality == {"clinical": 0.8, "legal": 0.6}
    assert by_task["notes"].match_gain == pytest.approx(0.2)
    assert by_task["contracts"].match_gain == pytest.approx(0.25)
    assert "Domain of the pretraining" in files_of(built)["html"]


def test_a_matched_domain_has_its_gain_with_an_interval_over_the_seeds_that_all_share(built):
    clinical = task("notes", invented=False)
    legal = task("contracts", invented=False).model_copy(update={"domain": "legal"})
    built.plan(["tiny"], ["clinical", "legal"], ["full"], [clinical, legal], seeds=[1, 2, 3])
    scores = {"clinical": [0.80, 0.82, 0.81], "legal": [0.60, 0.61, 0.62]}
    for trial in built.sweep.trials:
        here = scores[trial.cell.domain]
        if trial.cell.task == "notes" and (trial.cell.domain, trial.seed) != ("legal", 3):
            built.attempt(trial, Fate(quality=here[trial.seed - 1]))
    by_task = {column.task: column for column in report_of(built).domains.columns}
    # The third seed of one is missing: 0.20 and 0.21, so 0.205 and 12.706 (t, one degree) x 0.005.
    assert by_task["notes"].match_gain == pytest.approx(0.205)
    assert by_task["notes"].match_interval == pytest.approx((0.205 - 0.0635, 0.205 + 0.0635), abs=1e-4)
    assert by_task["contracts"].match_interval is None
    page = files_of(built)
    assert "+0.141 to +0.269" in page["html"]
    assert "+0.141 to +0.269" in page["markdown"]


def test_one_domain_makes_no_matrix(built):
    built.plan()
    built.finish_all()
    assert report_of(built).domains is None


def test_the_studys_way_of_scoring_stands_beside_ours_where_it_was_asked_for(built):
    paper = task("mentions", TaskKind.NER, invented=False).model_copy(update={"paper_scoring": True})
    [trial] = built.plan(["tiny"], ["general"], ["full"], [paper], seeds=[1])
    test = {MetricName.ENTITY_F1: MetricValue(value=0.7), MetricName.SUBWORD_F1: MetricValue(value=0.812)}
    built.attempt(trial, Fate(quality=0.7, outcome={"test": test}))
    files = files_of(built)
    for kind in ("html", "markdown"):
        assert "0.812" in files[kind]
    assert report_json(report_of(built))["tasks"][0]["points"][0]["metrics"]["subword_f1"]["mean"] == 0.812


def test_scores_stand_below_the_frontier_from_three_points_on(built):
    built.plan(["tiny"], ["general"], ["full", "lora-r8"], seeds=[1])
    built.finish_all()
    assert report_of(built).tasks[0].scores is None
    built.plan(["tiny"], ["general"], ["full", "lora-r8", "ia3"], seeds=[1])
    for trial in built.sweep.trials[2:]:
        built.attempt(trial, Fate(quality=0.5))
    page = files_of(built)["html"]
    assert page.index("Composite score of Taylor et al. 2024, over these 3 points") > page.index(
        "Results of Outcome"
    )


def test_a_question_is_no_markup_in_markdown(built):
    built.plan(["tiny"], ["general"], ["full"], seeds=[1])
    change(built, question="<img src=x onerror=alert(1)> ![a](http://b) *which*?")
    text = files_of(built)["markdown"]
    assert "<img" not in text
    assert "![a]" not in text
    assert r"\*which\*" in text


def test_a_count_of_devices_sets_nothing_apart_and_every_phase_has_a_title(built):
    trials = built.plan(["tiny"], ["general"], ["full"], seeds=[1, 2])
    for count, trial in enumerate(trials, start=1):
        device = Device(type="cpu", count=count, precision=Precision.FP32, software={})
        built.attempt(trial, Fate(quality=0.5, outcome={"device": device}))
    labels = {c.label for c in report_of(built).tasks[0].comparisons}
    assert labels == {"cpu, fp32"}
    assert set(TITLES) == set(Phase)


def test_a_loss_is_shown_as_it_is_and_lower_is_better(built):
    of_loss = task("likelihood").model_copy(update={"metric": MetricName.LOSS})
    trials = built.plan(["tiny", "mini"], ["general"], ["full"], [of_loss], seeds=[1, 2, 3])
    for trial in trials:
        tiny = trial.cell.model == "tiny"
        loss = (0.5 if tiny else 0.3) + 0.01 * trial.seed
        test = {MetricName.LOSS: MetricValue(value=loss)}
        built.attempt(trial, Fate(quality=loss, seconds=10 if tiny else 100, outcome={"test": test}))
    report = report_of(built)
    [found] = report.tasks
    assert {p.cell.model: round(p.quality.mean, 3) for p in found.points} == {"tiny": -0.52, "mini": -0.32}
    assert [view.hypervolume for view in found.frontiers] == [None] * len(found.frontiers)
    assert "0.320" in found.answers[0]
    assert "comes within 0.01 of it" in found.answers[0]
    files = files_of(built)
    files["html"] = files["html"].split("<body>")[1].split("<script>")[0]  # with the data of the plots
    assert "lower is better" in files["html"]
    for kind in ("html", "markdown", "latex"):
        assert "0.320" in files[kind]
        assert "-0.3" not in files[kind]
        assert "-0.5" not in files[kind]


def test_the_energy_axis_is_of_one_kind_of_meter_and_says_where_it_is_estimated(built):
    shared = Origin(source=Source.ESTIMATED, by="a shared GPU, by the granted share")
    for trial in built.plan(["tiny", "mini"], ["general"], ["full"], seeds=[1]):
        both = trial.cell.model == "mini"  # on a machine that counts its processors, too
        work = {Phase.TRAIN: PhaseWork(gpu_joules=3.6e6, cpu_joules=9e6 if both else None)}
        fields = {"work": work, "origins": {Figure.GPU_ENERGY: shared}}
        built.attempt(trial, Fate(quality=0.5, device_type="NVIDIA A10G", outcome=fields))
    report = report_of(built)
    [found] = report.tasks
    assert [(p.energy_kwh, p.energy_source) for p in found.points] == [(1.0, Source.ESTIMATED)] * 2
    assert any("of GPUs by their own counters" in note and "estimated" in note for note in found.notes)
    drawn = plot(found, found.comparisons[0], style(report))
    assert drawn is not None
    assert [v["title"] for v in drawn["views"] if v["side"] == "energy"] == [
        "Energy of a trial (kWh), estimated"
    ]
    assert {p["energy_source"] for p in report_json(report)["tasks"][0]["points"]} == {"estimated"}


def test_rows_of_a_tagging_task_name_its_mentions(built):
    recipe = Recipe(learning_rate=1e-4, train_rows=400)
    [trial] = built.plan(["tiny"], ["general"], ["full"], [task("tags", TaskKind.NER)], [1], recipe=recipe)
    outcome = {"rows": {"train": 400, "test": 50}, "train_classes": {"Disease": 362}}
    built.attempt(trial, Fate(quality=0.5, outcome=outcome))
    assert "400 training rows, 362 mentions a type" in files_of(built)["markdown"]
