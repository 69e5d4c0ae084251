"""Seeds whose training failed: what they count for, and that each sentence with their cell says it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ledger_builder import Fate, LedgerBuilder
from scipy.stats import binomtest

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.target import SweepTarget
from orchestrator.contracts.vocabulary import FailureKind, FailureRule, Precision, Signature, Unit
from orchestrator.report import Report, build_report, write_report
from orchestrator.report.analysis.cell_names import marked
from orchestrator.report.recommendation.summary import sentences
from orchestrator.report.results.point import PointState
from orchestrator.report.statistics.paired import difference
from orchestrator.report.statistics.replicates import Replicates
from orchestrator.report.statistics.summary import share_interval

GUESS = {"guessing": {MetricName.MACRO_F1: 0.2, MetricName.ACCURACY: 0.5}}
COLLAPSED = Fate(quality=0.21, outcome={**GUESS, "signature": Signature.COLLAPSED})
STOPPED = Fate(failure=FailureKind.COLLAPSED, outcome=GUESS)
IA3 = [Fate(quality=q) for q in (0.832, 0.829, 0.834)]


@pytest.fixture
def built(tmp_path: Path) -> LedgerBuilder:
    return LedgerBuilder(tmp_path)


def scored(*qualities: float) -> list[Fate]:
    return [Fate(quality=q, outcome=GUESS) for q in qualities]


def report_of(path: Path, full: list[Fate], ia3: list[Fate], rule: FailureRule = FailureRule.COUNT) -> Report:
    built = LedgerBuilder(path)
    trials = built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[11, 12, 13])
    built.sweep = built.sweep.model_copy(update={"failures": rule})
    built.ledger.write_sweep(built.sweep)
    for trial, fate in zip(trials, [*full, *ia3], strict=False):
        built.attempt(trial, fate)
    return build_report(built.ledger.sweep(), built.ledger.trials())


def full_of(report: Report):
    [point] = [p for p in report.tasks[0].points if p.cell.method == "full"]
    return point


@pytest.mark.parametrize("rule", FailureRule)
def test_a_collapsed_seed_gives_one_quality_whether_it_was_stopped_or_not(tmp_path, rule):
    works = scored(0.851, 0.846)
    ended = full_of(report_of(tmp_path / "a", [*works, STOPPED], IA3, rule))
    finished = full_of(report_of(tmp_path / "b", [*works, COLLAPSED], IA3, rule))
    assert ended.quality == finished.quality
    assert ended.metrics == finished.metrics
    expected = (0.851 + 0.846 + 0.2) / 3 if rule is FailureRule.COUNT else (0.851 + 0.846) / 2
    assert ended.quality.mean == pytest.approx(expected)


def test_a_method_that_fails_one_time_in_three_is_not_what_to_take(tmp_path):
    report = report_of(tmp_path, [*scored(0.851, 0.846), STOPPED], IA3)
    assert sentences(report)[0].startswith("For “Outcome”, take tiny/general/ia3")


def test_each_sentence_with_such_a_cell_says_how_many_of_its_seeds_failed(tmp_path):
    report = report_of(
        tmp_path, [*scored(0.99, 0.98), STOPPED], [Fate(quality=0.5 + q.quality / 10) for q in IA3]
    )
    [task] = report.tasks
    lines = [*sentences(report), *task.answers, *(group.sentence for group in task.groups)]
    lines += [claim.sentence for family in task.claims for claim in family.claims]
    named = [line for line in lines if "full" in line]
    assert len(named) >= 5
    assert [line for line in named if "1 of 3 seeds collapsed" not in line] == []
    written = write_report(report, tmp_path / "report")
    assert "tiny/general/full (1 of 3 seeds collapsed)" in written["markdown"].read_text()


def test_the_scores_of_seeds_stand_where_an_interval_of_their_mean_would_be_wrong(tmp_path):
    report = report_of(tmp_path, [*scored(0.99, 0.98), STOPPED], [Fate(quality=0.3)])
    point = full_of(report)
    assert (point.quality.interval, point.population_interval, point.quality.failed) == (None, None, 1)
    [answer] = report.tasks[0].answers
    assert (
        "0.723 (mean of 0.200, 0.980, 0.990, so no interval; 1 to 91 % of seeds fail (95 % over 3 seeds))"
        in answer
    )


@pytest.mark.parametrize("kind", [FailureKind.PREEMPTED, FailureKind.DEVICE, FailureKind.TIMEOUT])
def test_what_the_machine_or_a_limit_ended_moves_no_figure(tmp_path, kind):
    lost = report_of(tmp_path / "a", scored(0.851, 0.846, 0.85), [*IA3[:2], Fate(failure=kind)])
    never = report_of(tmp_path / "b", scored(0.851, 0.846, 0.85), IA3[:2])
    for one, other in zip(lost.tasks[0].points, never.tasks[0].points, strict=True):
        assert (one.quality, one.device_hours, one.frontier) == (
            other.quality,
            other.device_hours,
            other.frontier,
        )
        assert one.frontier_probability == other.frontier_probability
    assert lost.tasks[0].claims == never.tasks[0].claims
    assert lost.tasks[0].groups == never.tasks[0].groups
    assert sentences(lost)[0] == sentences(never)[0]


def test_a_seed_without_the_memory_to_train_is_told_and_does_not_count(tmp_path):
    point = full_of(report_of(tmp_path, [*scored(0.85, 0.84), Fate(failure=FailureKind.OUT_OF_MEMORY)], IA3))
    assert (point.quality.n, point.reason) == (2, "1 of 3 seeds failed (OUT_OF_MEMORY)")


def test_a_cell_of_which_each_seed_collapsed_has_what_guessing_gives(tmp_path):
    point = full_of(report_of(tmp_path, [STOPPED, STOPPED, STOPPED], IA3))
    assert (point.state, point.device_hours) == (PointState.FAILED, None)
    assert point.quality.mean == pytest.approx(0.2)
    assert (point.reason, point.frontier) == ("3 of 3 seeds collapsed", False)


def test_a_seed_that_diverged_on_another_device_counts_with_the_seeds_of_its_cell(tmp_path):
    away = Fate(failure=FailureKind.DIVERGED, outcome=GUESS, device_type="Some GPU", precision=Precision.BF16)
    report = report_of(tmp_path, [*scored(0.851, 0.846), away], IA3)
    assert [c.label for c in report.tasks[0].comparisons] == ["cpu, fp32"]
    assert full_of(report).quality.n == 3


@pytest.mark.parametrize("rule", FailureRule)
def test_the_report_names_its_rule(tmp_path, rule):
    report = report_of(tmp_path, scored(0.85), [], rule)
    assert any(f"failures: {rule}" in notice for notice in report.notices)


def test_where_no_seed_failed_the_report_says_how_many_still_may(tmp_path):
    report = report_of(tmp_path, scored(0.951, 0.946, 0.95), IA3)
    assert (
        "no seed of 3 failed; the failure rate may still be up to 63 % (95 % over 3 seeds)"
        in sentences(report)[1]
    )


@pytest.mark.parametrize(("count", "n"), [(0, 3), (1, 3), (2, 5), (3, 3)])
def test_the_interval_of_a_share_is_that_of_clopper_and_pearson(count, n):
    expected = binomtest(count, n).proportion_ci(0.95, method="exact")
    assert share_interval(count, n) == pytest.approx((expected.low, expected.high))


def test_a_name_is_marked_once_and_never_inside_a_longer_one():
    marks = {"a/b/lora": "1 of 3 seeds collapsed"}
    assert marked("a/b/lora-r8 beats a/b/lora. So a/b/lora loses.", marks) == (
        "a/b/lora-r8 beats a/b/lora (1 of 3 seeds collapsed). So a/b/lora loses."
    )


def cheap_and_collapsing(path: Path, works: tuple[float, float], dear: tuple[float, float, float]) -> Report:
    """ia3 costs a third of full; two of its seeds score `works`, the third collapses. full scores `dear`."""
    ia3 = [Fate(quality=q, outcome=GUESS, seconds=40) for q in works]
    stopped = Fate(failure=FailureKind.COLLAPSED, outcome=GUESS, seconds=40)
    return report_of(path, [Fate(quality=q, seconds=120) for q in dear], [*ia3, stopped])


def test_a_collapsed_seed_does_not_make_limits_as_wide_as_the_scale(tmp_path):
    report = cheap_and_collapsing(tmp_path, (0.601, 0.603), (0.851, 0.846, 0.848))
    [judged] = report.tasks[0].good_enough
    low, high = judged.cheaper["tiny/general/ia3"]
    assert 0.2 < low < 0.25 < high < 0.3  # 0.848 less 0.602, the seeds that worked
    assert (judged.cell, judged.shown, judged.most_below) == ("tiny/general/full", True, 0.0)
    [answer] = report.tasks[0].answers
    assert "Nothing cheaper comes within 1 point of it" in answer
    best = next(group for group in report.tasks[0].groups if group.best)
    assert (best.cells, best.behind) == (("tiny/general/full",), {})


def test_a_cell_of_which_a_seed_collapsed_is_not_proposed_for_its_price(tmp_path):
    report = cheap_and_collapsing(tmp_path, (0.846, 0.853), (0.847, 0.852, 0.849))
    [answer] = report.tasks[0].answers
    assert "the seeds of tiny/general/ia3 (1 of 3 seeds collapsed) that worked scored" in answer
    assert "is not shown to be worse" not in answer


def test_no_interval_is_made_over_seeds_that_failed_and_seeds_that_worked(tmp_path):
    report = cheap_and_collapsing(tmp_path, (0.601, 0.603), (0.851, 0.846, 0.848))
    claims = [
        claim for family in report.tasks[0].claims if family.name == "frontier" for claim in family.claims
    ]
    [claim] = claims
    assert (claim.interval, claim.adjusted, claim.distinguishable, claim.detectable) == (
        None,
        None,
        None,
        None,
    )
    assert claim.sentence.endswith(
        "seeds that failed and seeds that worked have no common scatter, so nothing is claimed by this test. "
        "The set of the best does show it: there, seeds that failed are left out of the one that scored less."
    )
    assert [group for group in report.tasks[0].groups if not group.best] == []


def test_a_failed_seed_whose_documents_count_alike_hides_no_scatter_of_documents():
    """Three seeds differ by the same 1.2 points, by luck: the score still scatters over documents by 3."""
    answers = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0] * 5)
    worse = Replicates(
        "a", (1, 2, 3), np.full(3, 2 / 3), np.ones(3), np.stack([answers] * 3), "test", unit=Unit.DOCUMENT
    )
    scores = np.array([0.6787, 0.6789, 0.6788])
    worked = [answers + score - answers.mean() for score in scores[1:]]
    better = replace(
        worse,
        name="b",
        quality=scores,
        parts=np.stack([np.full(30, scores[0]), *worked]),
        failed=frozenset({1}),
    )
    estimate = difference(better, worse)
    assert estimate.mean == pytest.approx(0.0121, abs=1e-4)
    assert estimate.document_error == pytest.approx(float(answers.std(ddof=1)) / 3 / 30**0.5)
    assert estimate.p > 0.5


def of_two(path: Path, full: list[float | None], ia3: list[float | None]) -> Report:
    """full and the cheaper ia3 on the same seeds; None is a seed that collapsed."""
    built = LedgerBuilder(path)
    trials = built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=list(range(len(full))))
    for trial, quality in zip(trials, [*full, *ia3], strict=True):
        seconds = 120 if trial.cell.method == "full" else 40
        failure = FailureKind.COLLAPSED if quality is None else None
        built.attempt(trial, Fate(quality=quality, failure=failure, outcome=GUESS, seconds=seconds))
    return build_report(built.ledger.sweep(), built.ledger.trials())


@pytest.mark.parametrize(
    ("full", "ia3"),
    [
        ([0.851, 0.846, 0.848], [0.9, None, None]),  # no two seeds of the rival worked
        ([0.951, 0.946, None, 0.94, 0.95], [0.601, 0.603, 0.59, 0.6, 0.61]),  # the best itself fails
    ],
)
def test_what_the_scatter_of_two_groups_leaves_open_cannot_be_judged(tmp_path, full, ia3):
    report = of_two(tmp_path, full, ia3)
    [judged] = report.tasks[0].good_enough
    assert (judged.cheaper, judged.by_seeds_that_worked) == ({"tiny/general/ia3": None}, ())
    [answer] = report.tasks[0].answers
    assert "Whether anything cheaper comes within 1 point of it cannot be judged yet." in answer
    assert "that worked scored" not in answer
    assert "is not shown to be worse" not in answer


def test_where_both_failed_on_a_seed_it_counts_for_both(tmp_path):
    full, ia3 = [0.8665, 0.866, 0.867, 0.8655], [0.850, 0.8495, 0.8505, 0.850]
    report = of_two(tmp_path, [*full, None, None], [*ia3, None, None])
    [judged] = report.tasks[0].good_enough
    assert judged.cheaper == {"tiny/general/ia3": None}  # 1.1 points behind, 1.6 on the seeds that worked
    assert "Nothing cheaper" not in report.tasks[0].answers[0]


def test_the_one_seed_that_worked_is_judged_by_the_scatter_of_the_other_cells(tmp_path):
    built = LedgerBuilder(tmp_path)
    trials = built.plan(["tiny"], ["general"], ["full", "lora-r8", "ia3"], seeds=[11, 12, 13])
    scores = {"full": [0.851, 0.846, 0.848], "lora-r8": [0.79, 0.8, 0.798], "ia3": [0.6, None, None]}
    for trial in trials:
        quality = scores[trial.cell.method][trial.seed - 11]
        failure = FailureKind.COLLAPSED if quality is None else None
        seconds = {"full": 120, "lora-r8": 80, "ia3": 40}[trial.cell.method]
        built.attempt(trial, Fate(quality=quality, failure=failure, outcome=GUESS, seconds=seconds))
    [task] = build_report(built.ledger.sweep(), built.ledger.trials()).tasks
    [judged] = task.good_enough
    low, high = judged.cheaper["tiny/general/ia3"]
    assert 0.2 < low < 0.251 < high < 0.3  # 0.851 less 0.6, on the seed that worked
    assert judged.by_seeds_that_worked == ("tiny/general/ia3",)
    assert [group.cells for group in task.groups if group.best] == [("tiny/general/full",)]


def test_the_limits_of_a_least_quality_name_the_cells_without_their_failed_seeds(tmp_path):
    of_two(tmp_path, [0.95, 0.94, 0.945, None], [0.6, 0.603, None, 0.61])
    ledger = LedgerBuilder(tmp_path).ledger
    sweep = ledger.sweep().model_copy(update={"good_enough": SweepTarget(at_least=0.9)})
    [judged] = build_report(sweep, ledger.trials()).tasks[0].good_enough
    low, high = judged.cheaper["tiny/general/ia3"]
    assert 0.5 < low < 0.604 < high < 0.7
    assert judged.by_seeds_that_worked == ("tiny/general/ia3",)


def test_seeds_that_differ_alike_by_chance_claim_nothing_where_one_alone_worked(tmp_path):
    report = of_two(tmp_path, [0.9, 0.501], [0.6, None])  # 30.0 and 30.1 points above
    [task] = report.tasks
    claims = [claim for family in task.claims for claim in family.claims]
    assert len(claims) >= 1
    assert [(claim.p, claim.interval, claim.distinguishable) for claim in claims] == [
        (None, None, None) for _ in claims
    ]


def test_a_cell_of_which_one_seed_worked_among_cells_that_scatter_is_reported(tmp_path):
    """Its difference is judged by the scatter of the others; so is how many seeds would show it."""
    built = LedgerBuilder(tmp_path)
    trials = built.plan(["tiny"], ["general"], ["full", "lora-r8", "ia3"], seeds=[1, 2])
    scores = {"full": [0.31, 0.24], "lora-r8": [0.25, 0.3], "ia3": [0.29, None]}
    for trial in trials:
        quality = scores[trial.cell.method][trial.seed - 1]
        failure = FailureKind.COLLAPSED if quality is None else None
        built.attempt(trial, Fate(quality=quality, failure=failure, outcome=GUESS))
    [task] = build_report(built.ledger.sweep(), built.ledger.trials()).tasks
    assert len(next(group for group in task.groups if group.best).cells) == 3
