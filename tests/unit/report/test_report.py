"""The report, built from real ledgers on disk and read back from the files it writes."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder, task

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.outcome import REFERENCE_SCAN, Failure
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.target import SweepTarget
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import FailureKind, Phase, Precision, Sensitivity, TaskKind
from orchestrator.report import Report, build_report, frontier_rows, report_json, write_report
from orchestrator.report.recommendation.summary import sentences
from orchestrator.report.results.point import PointState


def report_of(built: LedgerBuilder) -> Report:
    return build_report(built.ledger.sweep(), built.ledger.trials(), built.ledger.removed())


@pytest.fixture
def built(tmp_path: Path) -> LedgerBuilder:
    return LedgerBuilder(tmp_path)


SMALL = {"models": ["tiny", "mini"], "domains": ["general"], "methods": ["full"]}
TRAINED = {"phases": {Phase.TRAIN: 36.0}, "seconds": 40.0}


WIDE = (0.010, -0.010, 0.0, 0.004, 0.010, -0.014)  # of the seeds of tiny and of mini, around their means
NARROW = (0.001, -0.001, 0.0, 0.001, 0.002, -0.001)


def finish_small(built: LedgerBuilder, tiny: float, scatter=WIDE, seconds: float = 250) -> None:
    """Three seeds of `tiny`, whose score that is, in 100 seconds, and of mini, 0.7 in so many `seconds`."""
    trials = built.plan(**SMALL, seeds=[11, 12, 13])
    for trial, by in zip(trials, scatter, strict=True):
        is_tiny = trial.cell.model == "tiny"
        built.attempt(
            trial, Fate(quality=(tiny if is_tiny else 0.7) + by, seconds=100 if is_tiny else seconds)
        )


def test_seeds_are_aggregated_and_the_frontier_is_found(built):
    built.plan(**SMALL, seeds=[11, 12, 13])
    built.finish_all({"tiny/general/full/outcome": 0.6, "mini/general/full/outcome": 0.7}, seconds=100)
    [found] = report_of(built).tasks
    tiny, mini = found.points
    assert (tiny.cell.model, tiny.frontier, mini.frontier) == ("tiny", True, True)
    assert tiny.quality.mean == pytest.approx(0.6)
    assert tiny.quality.sd == pytest.approx(0.01)
    assert tiny.quality.interval == (pytest.approx(0.57492, abs=1e-4), pytest.approx(0.62457, abs=1e-4))
    assert (tiny.seeds, tiny.planned_seeds, tiny.state) == (3, 3, PointState.FINISHED)
    assert tiny.device_hours.mean == pytest.approx(90 / 3600)
    assert tiny.metrics[MetricName.ACCURACY].mean == pytest.approx(0.65)
    assert MetricName.MACRO_AUROC not in tiny.metrics


def test_the_answer_names_the_cheapest_within_a_point_and_the_best(built):
    finish_small(built, 0.695, seconds=254.5)
    [answer] = report_of(built).tasks[0].answers
    assert answer.startswith(
        "The cheapest within 1 point of the highest score is tiny/general/full, which is tiny with 4.4M "
        "parameters, pretrained on general text, all weights trained: macro F1 0.695 (95 %"
    )
    assert "over 3 seeds alone, for all 2 cells at once) at 1.5 min on one core a training run" in answer
    assert "; the highest is that of mini/general/full" in answer
    assert "Whether tiny/general/full is within 1 point of the best of all is open: another one may" in answer
    assert answer.endswith("These results do not distinguish the two.")


def test_a_cheaper_cell_that_is_close_and_not_shown_to_be_worse_is_named_once(built):
    finish_small(built, 0.688)
    [answer] = report_of(built).tasks[0].answers
    assert (
        "is open: tiny/general/full costs 40 % as much and scored 1.2 points below it, one-sided limits -"
        in answer
    )
    assert answer.endswith(
        ", and was not shown to be worse. Each of the two statements holds at 95 % over seeds alone, all "
        "cells at once."
    )
    assert answer.count("tiny/general/full") == 1


def test_no_sentence_says_that_scores_from_0_to_1_differ_by_more_than_100_points(built):
    finish_small(built, 0.5, (0.4, -0.4, 0.3, -0.3, 0.1, 0.2))
    report = report_of(built)
    [answer] = report.tasks[0].answers
    assert " and 100.0, and was not shown to be worse" in answer
    claims = [claim.sentence for family in report.tasks[0].claims for claim in family.claims]
    said = " ".join([answer, *claims])
    assert max(float(points) for points in re.findall(r"\d+\.\d(?= points| to | and )", said)) <= 100


@pytest.mark.parametrize(
    ("gap", "says"),
    [
        (0.2, "Nothing cheaper comes within 1 point of it. Each of the two statements holds at 95 %"),
        (0.02, "open"),
    ],
)
def test_that_nothing_cheaper_comes_close_is_said_only_where_it_is_shown(built, gap, says):
    finish_small(built, 0.7 - gap)
    report = report_of(built)
    [answer] = report.tasks[0].answers
    assert answer.startswith("The highest score is that of mini/general/full")
    assert says in answer
    [judged] = report.tasks[0].good_enough
    assert judged.cheaper.keys() == {"tiny/general/full"}
    assert bool(judged.open_cheaper) is (says == "open")
    [close] = report_json(report)["tasks"][0]["good_enough"]
    assert close["cell"] == "mini/general/full"


@pytest.mark.parametrize(
    ("least", "begins", "takes"),
    [
        (0.45, "The cheapest that scored macro F1 0.45 or more is tiny/general/full", "tiny/general/full"),
        (0.6, "The cheapest that scored macro F1 0.6 or more is mini/general/full", "mini/general/full"),
        (0.9, "No model scored macro F1 0.9 or more. The highest score is that of mini/general/full", None),
    ],
)
def test_good_enough_may_be_a_least_quality(built, least, begins, takes):
    finish_small(built, 0.5, NARROW)
    sweep = built.ledger.sweep().model_copy(update={"good_enough": SweepTarget(at_least=least)})
    report = build_report(sweep, built.ledger.trials())
    [answer] = report.tasks[0].answers
    assert answer.startswith(begins)
    choice, _, _ = sentences(report)
    if takes is None:
        assert choice.startswith(
            "For “Outcome”, no model scored macro F1 0.9 or more: the highest score is that of mini/gen"
        )
    else:
        assert f"take {takes}, which is" in choice
        assert f": it is the cheapest with at least {least:g}, with macro F1" in choice
        assert f"Good enough is macro F1 {least:g}, as good_enough of the sweep says." in choice
        assert "is shown to reach it" in answer
    assert report_json(report)["tasks"][0]["target"] == {"at_least": least}
    rows = report_json(report)["tasks"][0]["recommended"][0]["by_budget"]
    assert [row["cell"] for row in rows] == ([] if takes is None else [takes])
    assert "good enough is at least" in write_report(report, built.ledger.directory / "r")["html"].read_text()


def test_a_margin_of_the_users_own_is_named(built):
    finish_small(built, 0.66)
    wanted = SweepTarget(within=0.05)
    sweep = built.ledger.sweep().model_copy(update={"good_enough": wanted})
    [answer] = build_report(sweep, built.ledger.trials()).tasks[0].answers
    assert answer.startswith("The cheapest within 5 points of the highest score is tiny/general/full")


def test_a_recommendation_by_budget_says_whether_it_is_shown(built):
    finish_small(built, 0.5, NARROW)
    rows = report_json(report_of(built))["tasks"][0]["recommended"][0]["by_budget"]
    assert [(row["cell"], row["shown"]) for row in rows] == [
        ("tiny/general/full", True),
        ("mini/general/full", True),
    ]


def test_one_seed_says_that_it_has_no_interval(built):
    built.plan(**SMALL, seeds=[11])
    built.finish_all()
    report = report_of(built)
    assert "n = 1, so no interval" in report.tasks[0].answers[0]
    points = report_json(report)["tasks"][0]["points"]
    assert [p["quality_interval"] for p in points] == [None, None]


def test_a_machine_with_a_faulty_gpu_is_named_once(built):
    first, second = built.plan(**SMALL, seeds=[11])
    failure = {"kind": "DEVICE", "phase": "train", "message": "the GPU failed: x", "machine": "node-3, GPU-a"}
    fault = Fate(failure=FailureKind.DEVICE, outcome={"failure": Failure.model_validate(failure)})
    for trial in (first, second):
        built.attempt(trial, fault)
        built.attempt(trial, Fate(quality=0.6))
    report = report_of(built)
    [told] = [line for line in report.notices if "node-3" in line]
    assert told.startswith("A GPU failed on node-3, GPU-a and ended 2 attempts. Nothing was wrong")
    assert not report.failed


def test_risks_that_a_sweep_over_sensitive_data_accepts_are_in_each_report(built, tmp_path):
    sensitive = task("outcome", invented=False).model_copy(update={"data": Sensitivity.SENSITIVE})
    built.plan(**SMALL, tasks=[sensitive], seeds=[11])
    config = built.sweep.config | {"accepted_risks": ["root", "readable"]}
    built.ledger.write_sweep(built.sweep.model_copy(update={"config": config}))
    said = (
        "The data of all tasks are sensitive, and the sweep accepted that trials may run as root (root); "
        "others may read corpora or records (readable)."
    )
    report = report_of(built)
    assert said in report.notices
    pages = write_report(report, tmp_path / "report")
    assert all(said in pages[kind].read_text() for kind in ("html", "markdown", "json"))


def test_a_scan_in_a_python_loop_is_said_to_tell_nothing_of_its_architecture(built):
    for trial in built.plan(["mamba", "tiny"], ["general"], ["full"], seeds=[1]):
        scan = {"scan": REFERENCE_SCAN} if trial.cell.model == "mamba" else {}
        built.attempt(trial, Fate(quality=0.5, software={"torch": "2.13.0", **scan}))
    [told] = [line for line in report_of(built).notices if "scan" in line]
    assert "Trials of mamba computed the scan as a loop in Python" in told


def test_a_cell_with_a_failed_seed_is_partial_and_says_so(built):
    trials = built.plan(**SMALL, seeds=[11, 12])
    built.attempt(trials[0], Fate(quality=0.6))
    built.attempt(trials[1], Fate(failure=FailureKind.DIVERGED))
    report = report_of(built)
    partial, empty = report.tasks[0].points
    assert (partial.state, partial.seeds, partial.planned_seeds) == (PointState.PARTIAL, 1, 2)
    assert partial.reason == "1 of 2 seeds diverged"
    assert (empty.state, empty.quality, empty.frontier) == (PointState.NEW, None, False)
    [failed] = report.failed
    assert (failed.trial, failed.kind, failed.attempts) == (trials[1].name, FailureKind.DIVERGED, 1)
    assert "1 of 2 seeds diverged" in report.tasks[0].answers[0]


def test_refused_failed_and_stale_cells_stay_in_the_report(built):
    refused = Cell(model="tiny", domain="general", method="ia3", task="outcome")
    plan = {"models": ["tiny"], "domains": ["general"], "methods": ["full", "lora-r8", "ia3"], "seeds": [11]}
    trials = built.plan(**plan, refused={refused: "no such targets"})
    built.attempt(trials[0], Fate(quality=0.6, fingerprint="0" * 16))
    built.attempt(trials[1], Fate(failure=FailureKind.OUT_OF_MEMORY))
    found = report_json(report_of(built))
    states = {p["method"]: (p["state"], p["reason"]) for p in found["tasks"][0]["points"]}
    assert states == {
        "full": ("stale", None),
        "lora-r8": ("failed", "1 of 1 seeds failed (OUT_OF_MEMORY)"),
        "ia3": ("refused", "no such targets"),
    }
    assert found["refused"] == [{"cell": refused.name, "reason": "no such targets"}]
    assert found["stale"] == [trials[0].name]
    assert [f["kind"] for f in found["failed"]] == ["OUT_OF_MEMORY"]


def test_results_of_different_devices_never_share_a_frontier(built):
    trials = built.plan(**SMALL, seeds=[11])
    built.attempt(trials[0], Fate(quality=0.6, **TRAINED))
    built.attempt(
        trials[1], Fate(quality=0.5, device_type="Some GPU", precision=Precision.BF16, seconds=400.0)
    )
    report = report_of(built)
    [found] = report.tasks
    assert [c.label for c in found.comparisons] == ["Some GPU, bf16", "cpu, fp32"]
    assert all(point.frontier for point in found.points)  # the dearer and worse one on its own axis
    assert len(found.answers) == 2
    assert "on one GPU" in found.answers[0]
    assert "on one core" in found.answers[1]
    assert any("cannot be compared" in note for note in found.notes)
    assert report.device_unit == "device-hours"


def test_software_that_differs_separates_and_is_named(built):
    trials = built.plan(**SMALL, seeds=[11])
    built.attempt(trials[0], Fate(quality=0.6, software={"torch": "2.13.0", "peft": "0.21"}))
    built.attempt(trials[1], Fate(quality=0.7, software={"torch": "2.14.0", "peft": "0.21"}))
    labels = [c.label for c in report_of(built).tasks[0].comparisons]
    assert labels == ["cpu, fp32, torch 2.13.0", "cpu, fp32, torch 2.14.0"]


def test_a_core_is_never_called_a_gpu(built):
    built.plan(**SMALL, seeds=[11])
    built.finish_all()
    paths = write_report(report_of(built), built.ledger.directory / "report")
    assert "core-hours" in paths["markdown"].read_text()
    for kind in ("markdown", "json", "csv"):
        assert "GPU" not in paths[kind].read_text()


def test_another_backbone_changes_no_other_point(built):
    built.plan(["tiny", "mini"], ["general"], ["full", "lora-r8"])
    built.finish_all({f"{m}/general/{w}/outcome": 0.6 for m in ("tiny", "mini") for w in ("full", "lora-r8")})
    before = {p.cell: p for p in report_of(built).tasks[0].points}
    built.plan(["tiny", "mini", "base"], ["general"], ["full", "lora-r8"])
    for trial in built.sweep.trials:
        if trial.cell.model == "base":
            built.attempt(trial, Fate(quality=0.99, seconds=1.0))  # dominates everything
    after = {p.cell: p for p in report_of(built).tasks[0].points}
    for cell, point in before.items():
        place = {
            name: getattr(point, name)
            for name in ("frontier", "frontier_probability", "near_probability", "simultaneous")
        }
        assert after[cell].model_copy(update=place) == point


def test_the_same_ledger_gives_the_same_bytes(built, tmp_path):
    built.plan(tasks=[task("outcome"), task("mentions", TaskKind.NER)])
    built.finish_all()
    first = write_report(report_of(built), tmp_path / "one")
    before = {kind: path.read_bytes() for kind, path in first.items()}
    built.ledger.write_sweep(built.sweep.model_copy(update={"written_at": built.sweep.written_at + 1e6}))
    second = write_report(report_of(built), tmp_path / "two")
    assert {kind: path.read_bytes() for kind, path in second.items()} == before


@pytest.mark.parametrize("begun", [False, True])
def test_an_empty_or_partial_ledger_gives_a_report(built, begun):
    trials = built.plan(seeds=[11])
    if begun:
        built.attempt(trials[0], Fate())
    report = report_of(built)
    paths = write_report(report, built.ledger.directory / "report")
    assert "No result yet: 0 of 8 trials are finished." in paths["html"].read_text()
    assert len(frontier_rows(report)) == 8
    assert report.results_until is None


def test_invented_text_and_notes_stand_wherever_scores_do(built):
    built.plan(tasks=[task("outcome"), task("dialogue", invented=False)], **SMALL, seeds=[11])
    for trial in built.sweep.trials:
        built.attempt(trial, Fate(quality=0.6, train_rows=(400, 1200)))
    report = report_of(built)
    paths = write_report(report, built.ledger.directory / "report")
    for kind in ("html", "markdown", "json"):
        text = paths[kind].read_text()
        assert "The text of Outcome is invented" in text
        assert "A few labels are noisy." in text
        assert "Trained on 400 of the 1,200 training examples" in text
    with paths["csv"].open() as file:
        invented = {row["task"]: row["invented"] for row in csv.DictReader(file)}
    assert invented == {"outcome": "true", "dialogue": "false"}
    assert {row.task: row.invented for row in frontier_rows(report)} == {"outcome": True, "dialogue": False}


def test_rows_of_the_console_begin_with_the_frontier(built):
    built.plan()
    built.finish_all()
    flags = [row.frontier for row in frontier_rows(report_of(built))]
    assert flags == sorted(flags, reverse=True)
    assert flags[0]


def test_the_json_has_its_documented_keys(built):
    built.plan(**SMALL, seeds=[11, 12])
    built.finish_all()
    found = json.loads(write_report(report_of(built), built.ledger.directory / "report")["json"].read_text())
    assert {"sweep", "device_unit", "notices", "tasks", "refused", "failed", "stale", "totals"} <= set(found)
    point = found["tasks"][0]["points"][0]
    assert {"backbone", "domain", "method", "quality", "quality_interval", "device_hours"} <= set(point)
    assert {"frontier", "seeds", "state", "spread", "trainable_parameters", "metrics"} <= set(point)
    assert point["seeds"] == 2
    assert found["totals"]["spending"][0]["billed_device_hours"] == pytest.approx(
        2 * (100 + 100 * 11.2 / 4.4) / 3600
    )


def test_totals_separate_useful_from_wasted(built):
    [trial] = built.plan(["tiny"], ["general"], ["full"], seeds=[11], resources=Resources(cpus=2))
    built.attempt(trial, Fate(failure=FailureKind.PREEMPTED, seconds=100))
    built.attempt(trial, Fate(quality=0.5, **TRAINED))
    [spending] = report_of(built).totals.spending
    assert (spending.billed, spending.useful, spending.wasted) == (280, 72, 200)
    assert spending.overhead == 8


def test_the_page_asks_the_network_for_nothing_and_escapes_everything(built):
    nasty = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    refused = Cell(model="tiny", domain="general", method="ia3", task="outcome")
    built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[11], refused={refused: nasty})
    built.finish_all()
    sweep = built.sweep.model_copy(update={"question": nasty, "provenance": {nasty: nasty}})
    built.ledger.write_sweep(sweep)
    page = write_report(report_of(built), built.ledger.directory / "report")["html"].read_text()
    assert nasty not in page
    assert "<img src=x" not in page
    outside = page[: page.index("<script>")]  # the markup, before the library
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", outside)
    assert "default-src 'none'" in outside
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", page[: page.index("<script>")])


def test_names_cannot_break_a_markdown_table(built):
    refused = Cell(model="tiny", domain="general", method="ia3", task="outcome")
    built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[11], refused={refused: "a | b\nc"})
    text = write_report(report_of(built), built.ledger.directory / "report")["markdown"].read_text()
    assert "a \\| b c" in text


def test_files_hold_no_text_of_the_data(built):
    [trial] = built.plan(["tiny"], ["general"], ["full"], seeds=[11])
    path = built.attempt(trial, Fate(quality=0.6, labels=("Mrs Example",)))
    (path / "predictions.txt").write_text("Mrs Example")
    for written in write_report(report_of(built), built.ledger.directory / "report").values():
        assert "Mrs Example" not in written.read_text()
