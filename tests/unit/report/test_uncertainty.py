"""Claims, groups, probabilities and frontiers on any axes: from real ledgers, and on a known truth."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_builder import Fate, LedgerBuilder, lora_ranks, task
from scipy import stats
from scipy.optimize import brentq
from simulated import World, point_of, true_f1

from orchestrator.contracts import layout
from orchestrator.contracts.examples import ScoredExamples, floats
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.outcome import Serving
from orchestrator.contracts.vocabulary import FailureKind, TaskKind, Unit
from orchestrator.report import Report, build_report, frontier_rows, report_json, write_report
from orchestrator.report.analysis.best_set import best_set
from orchestrator.report.analysis.claim_text import DifferenceUnit, SetVerdict, below_title
from orchestrator.report.analysis.claims import family
from orchestrator.report.analysis.objectives import Objective
from orchestrator.report.recommendation.summary import sentences
from orchestrator.report.render.text import claim_verdict
from orchestrator.report.statistics.moderation import prior_of
from orchestrator.report.statistics.multiple_testing import holm
from orchestrator.report.statistics.paired import MeanEstimate, difference, mean_estimate
from orchestrator.report.statistics.pareto import (
    as_costs,
    near_pareto_mask,
    pareto_mask,
)
from orchestrator.report.statistics.posterior import scores


def report_of(built: LedgerBuilder, *axes: tuple[Objective, ...]) -> Report:
    ledger = built.ledger
    return build_report(ledger.sweep(), ledger.trials(), (), None, ledger.examples, axes)


@pytest.fixture
def built(tmp_path: Path) -> LedgerBuilder:
    return LedgerBuilder(tmp_path)


def finish(
    built: LedgerBuilder,
    truth: dict[str, float],
    *,
    documents: int = 0,
    spread: float = 0.01,
    unit: Unit = Unit.DOCUMENT,
) -> None:
    """One attempt a planned trial, by the true quality of its method; with documents where wanted."""
    for trial in built.sweep.trials:
        rng = np.random.default_rng([trial.seed, *trial.cell.name.encode()])
        quality = truth[trial.cell.method] + spread * rng.standard_normal()
        right = (rng.permutation(documents) < round(quality * documents)).astype(float)
        if documents:
            quality = right.mean()
        path = built.attempt(trial, Fate(quality=float(quality), seconds=100))
        if documents:
            record = ScoredExamples(
                metric=built.sweep.tasks[trial.cell.task].metric,
                test_set="t",
                numerator=floats(right),
                denominator=floats([1.0] * documents),
                unit=unit,
            )
            (path / layout.EXAMPLES).write_bytes(record.to_bytes())


def claims_of(report: Report, family: str) -> dict[tuple[str, str], object]:
    return {(c.better, c.worse): c for f in report.tasks[0].claims if f.name == family for c in f.claims}


# Claims


@pytest.mark.parametrize(("unit", "warned"), [(Unit.PATIENT, False), (Unit.SENTENCE, True)])
def test_sentences_use_the_word_for_what_is_independent_and_say_where_that_is_taken(built, unit, warned):
    built.plan(["tiny"], ["general"], ["full", "lora-r8", "ia3"], seeds=range(3))
    finish(built, {"full": 0.80, "lora-r8": 0.80, "ia3": 0.5}, documents=400, unit=unit)
    [task] = report_of(built).tasks
    claim = claims_of(report_of(built), "methods")["full", "ia3"]
    assert f"3 seeds, 400 test {unit}, for 3 comparisons at once" in claim.sentence
    assert f"over 3 seeds and 400 {unit}" in task.answers[0]
    assert any(f"Test {unit} are taken as independent" in note for note in task.notes) is warned


def test_a_planned_claim_says_by_how_much_on_how_many_seeds_and_documents(built):
    built.plan(["tiny", "mini"], ["general"], ["full", "lora-r8", "ia3"], seeds=range(5))
    finish(built, {"full": 0.80, "lora-r8": 0.80, "ia3": 0.5}, documents=400)
    report = report_of(built)
    [family] = [f for f in report.tasks[0].claims if f.name == "methods"]
    assert (family.correction, family.size) == ("Holm", 3)
    assert "2 combinations of models and domains" in family.notes[0]
    claim = claims_of(report, "methods")["lora-r8", "ia3"]
    assert claim.distinguishable
    assert claim.sentence.startswith("lora-r8 beats ia3 on “Outcome” by 3")
    assert below_title(claim.sentence, "Outcome").startswith("lora-r8 beats ia3 by 3")
    assert "over 5 seeds, 400 test documents, for 3 comparisons at once; Holm-adjusted p" in claim.sentence
    low, high = claim.interval
    assert low < claim.difference < high
    [close] = [c for pair, c in claims_of(report, "methods").items() if set(pair) == {"full", "lora-r8"}]
    assert close.distinguishable is False
    assert "cannot be distinguished" in close.sentence
    assert close.detectable > close.difference
    assert f"A difference of {100 * close.detectable:.1f} point" in close.sentence
    assert "would have been shown; more" in close.sentence
    assert close.limit is not None


def test_one_seed_claims_nothing_and_says_so(built):
    built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1])
    finish(built, {"full": 0.9, "ia3": 0.2}, documents=100)
    report = report_of(built)
    claim = claims_of(report, "methods")["full", "ia3"]
    assert (claim.interval, claim.p, claim.adjusted, claim.distinguishable) == (None,) * 4
    assert "they share one seed, which gives no interval, so nothing is claimed." in claim.sentence
    assert [p.population_interval for p in report.tasks[0].points] == [None, None]
    assert [p.frontier_probability for p in report.tasks[0].points] == [None, None]
    assert not report.tasks[0].groups
    assert any("one seed" in note for note in report.tasks[0].frontiers[0].notes)


def test_older_results_without_documents_are_compared_by_their_seeds_alone(built):
    built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1, 2, 3])
    finish(built, {"full": 0.9, "ia3": 0.5})
    report = report_of(built)
    claim = claims_of(report, "methods")["full", "ia3"]
    assert claim.examples is None
    one, other = ({t.seed: None for t in built.sweep.trials} for _ in range(2))
    for record in built.ledger.trials():
        value = record.outcome.test[MetricName.MACRO_F1].value
        (one if record.planned.cell.method == "full" else other)[record.planned.seed] = value
    expected = stats.ttest_rel(list(one.values()), list(other.values()))
    assert claim.p == pytest.approx(expected.pvalue)
    assert claim.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert "test documents" not in claim.sentence
    assert any("only the seeds" in note for note in report.tasks[0].frontiers[0].notes)


def test_a_record_of_another_score_or_another_test_set_is_not_paired(built):
    trials = built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1, 2])
    for trial in trials:
        path = built.attempt(trial, Fate(quality=0.5 + 0.01 * trial.seed))
        record = ScoredExamples(
            metric=MetricName.MACRO_F1, test_set="t", numerator=floats([1, 0]), denominator=floats([1, 1])
        )
        (path / layout.EXAMPLES).write_bytes(record.to_bytes())
    assert {c.examples for c in claims_of(report_of(built), "methods").values()} == {None}


def test_a_missing_trial_silences_its_own_combination_alone(built):
    built.plan(["tiny", "mini", "base"], ["general"], ["full", "ia3"], seeds=[1, 2, 3])
    for trial in built.sweep.trials:
        if trial.cell.model == "mini" and trial.cell.method == "ia3" and trial.seed > 1:
            continue
        rng = np.random.default_rng([trial.seed, *trial.cell.name.encode()])
        base = 0.8 if trial.cell.method == "full" else 0.4
        built.attempt(trial, Fate(quality=base + 0.01 * rng.standard_normal()))
    [family] = [f for f in report_of(built).tasks[0].claims if f.name == "methods"]
    [claim] = family.claims
    assert (claim.seeds, claim.distinguishable) == (3, True)
    assert "2 combinations" in family.notes[0]
    assert "full against ia3 with mini and general" in family.notes[1]


def test_combinations_that_miss_different_seeds_are_chosen_by_what_is_there(built):
    built.plan(["tiny", "mini", "base"], ["general"], ["full", "ia3"], seeds=[1, 2, 3])
    missing = {"tiny": 3, "mini": 3, "base": 1}
    for trial in built.sweep.trials:
        if trial.seed != missing[trial.cell.model]:
            rng = np.random.default_rng([trial.seed, *trial.cell.name.encode()])
            built.attempt(trial, Fate(quality=0.5 + 0.01 * rng.standard_normal()))
    [family] = [f for f in report_of(built).tasks[0].claims if f.name == "methods"]
    assert [claim.seeds for claim in family.claims] == [2]
    assert "with base and general" in family.notes[1]


def test_an_interval_and_its_verdict_agree_whatever_the_family():
    """Where the p-value is adjusted the interval is as well."""
    rng = np.random.default_rng(10)
    verdicts = set()
    for gap in (0.0, 0.01, 0.02, 0.03, 0.05):
        cells = World(seed=0.05).draw([0.7 + gap * i for i in range(5)], 3, 400, rng)
        compared = [(a.name, b.name, difference(a, b)) for a, b in combinations(cells, 2)]
        for claim in family("methods", compared, DifferenceUnit("t", True), None).claims:
            low, high = claim.interval
            assert (low >= 0) is claim.distinguishable
            assert low < claim.difference < high <= 1
            verdicts.add(claim.distinguishable)
    assert verdicts == {True, False}


def test_a_long_frontier_says_how_many_of_its_points_are_not_compared(built):
    ranks = range(1, 25)
    built.plan(["tiny"], ["general"], lora_ranks(ranks), seeds=[1, 2])
    for trial in built.sweep.trials:
        rank = int(trial.cell.method.removeprefix("lora-r"))
        built.attempt(trial, Fate(quality=0.5 + 0.01 * rank + 0.001 * trial.seed, seconds=10 * rank))
    [family] = [f for f in report_of(built).tasks[0].claims if f.name == "frontier"]
    assert any("Only the 20 cheapest of the 24" in n and "4 more are not" in n for n in family.notes)


def test_many_methods_do_not_make_all_pairs(built):
    built.plan(["tiny"], ["general"], ["full", *lora_ranks(range(1, 80))], seeds=[1, 2])
    built.finish_all()
    [family] = [f for f in report_of(built).tasks[0].claims if f.name == "methods"]
    assert family.size <= 40
    assert all("full" in (c.better, c.worse) for c in family.claims)


def test_steps_along_the_frontier_pay_for_all_that_could_have_been_picked(built):
    built.plan(["tiny", "mini", "base"], ["general"], ["full"], seeds=range(4))
    base = {"tiny": 0.6, "mini": 0.7, "base": 0.8}
    for trial in built.sweep.trials:
        rng = np.random.default_rng([trial.seed, *trial.cell.model.encode()])
        seconds = {"tiny": 10, "mini": 100, "base": 1000}[trial.cell.model]
        quality = base[trial.cell.model] + 0.002 * rng.standard_normal()
        built.attempt(trial, Fate(quality=quality, seconds=seconds))
    [found] = report_of(built).tasks
    [family] = [f for f in found.claims if f.name == "frontier"]
    assert family.size == 3
    assert [(c.better, c.worse) for c in family.claims] == [
        ("mini/general/full", "tiny/general/full"),
        ("base/general/full", "mini/general/full"),
    ]
    assert all(c.distinguishable for c in family.claims)
    assert [g.cells for g in found.groups if g.best] == [("base/general/full",)]
    assert not [g for g in found.groups if not g.best]


def test_groups_hold_what_is_not_distinguishable(built):
    built.plan(["tiny"], ["general"], ["full", "lora-r8", "ia3"], seeds=range(5))
    finish(built, {"full": 0.80, "lora-r8": 0.80, "ia3": 0.5})
    [best] = [g for g in report_of(built).tasks[0].groups if g.best]
    assert {c.rsplit("/", 1)[1] for c in best.cells} == {"full", "lora-r8"}
    assert "With 95 % confidence over seeds alone, the best of the 3 cells is one of these 2" in best.sentence


@pytest.mark.parametrize("name", ["models", "frontier"])
def test_a_pair_that_only_the_one_sided_test_of_the_best_tells_apart_is_not_called_alike(built, name):
    """By the two-sided one p is between 0.05 and 0.10."""
    scores = (0.690, 0.710, 0.700, 0.717, 0.723, 0.710)
    for trial, quality in zip(
        built.plan(["tiny", "mini"], ["general"], ["full"], seeds=range(3)), scores, strict=True
    ):
        seconds = 100 if trial.cell.model == "tiny" else 250
        built.attempt(trial, Fate(quality=quality, seconds=seconds))
    report = report_of(built)
    best, run = report.tasks[0].groups
    assert best.sentence.startswith("mini/general/full is the best of the 2 cells, with 95 % confidence")
    [claim] = next(f.claims for f in report.tasks[0].claims if f.name == name)
    assert 0.05 < claim.adjusted < 0.10
    assert (claim.distinguishable, claim.by_best_set) == (False, SetVerdict.WORSE)
    assert ", which this test, two-sided, does not show (95 % -" in claim.sentence
    assert "The set of the best does show it: mini" in claim.sentence
    assert claim_verdict(claim) == "shown by the set of the best"
    assert "That mini/general/full is better than tiny/general/full is shown by the set of" in run.sentence
    assert not [text for text in said_by(report) if "cannot be distinguished" in text]
    assert "mini/general/full is shown to be the best of the cells" in sentences(report)[1]


def test_a_cell_that_a_larger_set_of_the_best_leaves_out_is_not_said_to_be_worse_than_each_in_it(built):
    """It is not the best. Of cells that are alike, the first by chance often seems better than the last."""
    scores = {"full": (0.79, 0.80, 0.81), "lora-r8": (0.795, 0.802, 0.799), "ia3": (0.783, 0.780, 0.791)}
    for trial in built.plan(["tiny"], ["general"], list(scores), seeds=range(3)):
        built.attempt(trial, Fate(quality=scores[trial.cell.method][trial.seed], seconds=100))
    report = report_of(built)
    [best] = [group for group in report.tasks[0].groups if group.best]
    assert len(best.cells) == 2
    assert best.left_out == ("tiny/general/ia3",)
    claim = claims_of(report, "methods")["full", "ia3"]
    assert (claim.distinguishable, claim.by_best_set) == (False, SetVerdict.NOT_THE_BEST)
    assert "full and ia3 cannot be distinguished" in claim.sentence
    assert "That ia3 is not the best of all is shown by the set of the best" in claim.sentence
    assert claim_verdict(claim) == "not distinguishable"


def test_a_pair_that_the_set_of_the_best_keeps_together_says_why(built):
    """Of five methods all others are far apart, so Holm's method asks for less of these two than the set."""
    means = {"full": 0.9, "lora-r8": 0.88, "ia3": 0.6, "lora-r16": 0.4, "head-only": 0.2}
    for trial in built.plan(["tiny"], ["general"], list(means), seeds=range(3)):
        by = (0.004, 0.007, -0.011) if trial.cell.method == "full" else (0.008, -0.008, 0.0)
        built.attempt(trial, Fate(quality=means[trial.cell.method] + by[trial.seed], seconds=100))
    report = report_of(built)
    [best] = [group for group in report.tasks[0].groups if group.best]
    assert best.cells == ("tiny/general/full", "tiny/general/lora-r8")
    claim = claims_of(report, "methods")["full", "lora-r8"]
    assert (claim.distinguishable, claim.by_best_set) == (True, SetVerdict.KEPT)
    assert "The set of the best still holds lora-r8: there, full is compared" in claim.sentence


def said_by(report: Report) -> list[str]:
    [task] = report.tasks
    claims = [claim.sentence for family in task.claims for claim in family.claims]
    return [*sentences(report), *task.answers, *claims, *(group.sentence for group in task.groups)]


def by_seed(built: LedgerBuilder, scores: dict[str, dict[int, float]], costs: dict[str, float]) -> None:
    """One attempt for each score, by method and seed."""
    for trial in built.sweep.trials:
        if trial.seed in scores[trial.cell.method]:
            quality = scores[trial.cell.method][trial.seed]
            built.attempt(trial, Fate(quality=quality, seconds=costs.get(trial.cell.method, 100)))


def test_what_is_not_distinguishable_is_not_called_as_good(built):
    built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1, 2])
    by_seed(built, {"full": {1: 0.82, 2: 0.80}, "ia3": {1: 0.48, 2: 0.70}}, {"full": 100, "ia3": 50})
    report = report_of(built)
    _, sure, _ = sentences(report)
    [group] = [g for g in report.tasks[0].groups if g.best]
    low, high = group.behind["tiny/general/ia3"]
    assert low < 0 < 0.22 < high
    [judged] = report.tasks[0].good_enough
    assert "do not settle which of 2 cells is the best" in sure
    most = min(100 * judged.most_below, 100)
    assert f"may be up to {most:.1f} points worse than another one (95 % over seeds alone)" in sure
    assert "What would help: more than 50 seeds, or a wider margin (" in sure
    assert group.settled.margin == 0.01
    assert sure.endswith(" seeds not every cell measured 1.0 point below the best could be ruled out).")
    assert "as good" not in sure + group.sentence


def test_the_risk_of_the_model_named_looks_at_every_other_cell(built):
    """The cheap one is named. The dear one scored above it and is steady; the third scored no higher, but its
    seeds scatter, so it may be far better."""
    built.plan(["tiny"], ["general"], ["full", "lora-r8", "ia3"], seeds=range(5))
    scores = {
        "full": {s: 0.805 + 0.001 * (s % 2) for s in range(5)},
        "ia3": {s: 0.800 + 0.001 * (s % 3) for s in range(5)},
        "lora-r8": dict(enumerate([0.62, 0.91, 0.74, 0.88, 0.83])),
    }
    by_seed(built, scores, {"full": 200, "ia3": 50, "lora-r8": 300})
    report = report_of(built)
    choice, sure, _ = sentences(report)
    assert "take tiny/general/ia3" in choice
    [judged] = report.tasks[0].good_enough
    assert judged.most_below > 0.08
    assert (
        f"may be up to {100 * judged.most_below:.1f} points worse than another one (95 % over seeds alone)"
        in sure
    )


def test_the_risk_of_the_model_named_says_how_many_cells_it_leaves_out(built):
    built.plan(["tiny"], ["general"], ["full", "lora-r8", "ia3"], seeds=[1, 2, 3])
    scores = {"full": {1: 0.82, 2: 0.80, 3: 0.81}, "ia3": {1: 0.80, 2: 0.81, 3: 0.79}, "lora-r8": {1: 0.7}}
    by_seed(built, scores, {"full": 100, "ia3": 150})
    report = report_of(built)
    assert report.tasks[0].good_enough[0].unjudged == 1
    assert "worse than another one (95 % over seeds alone), and 1 other cell cannot" in sentences(report)[1]


def test_the_set_of_the_best_says_what_one_seed_keeps_out_of_it(built):
    built.plan(["tiny"], ["general"], ["full", "lora-r8", "ia3"], seeds=range(5))
    several = {method: {s: level + 0.01 * (s % 3) for s in range(5)} for method, level in (("ia3", 0.5),)}
    several["lora-r8"] = {s: 0.8 + 0.01 * ((s + 1) % 3) for s in range(5)}
    by_seed(built, {**several, "full": {0: 0.95}}, {})
    report = report_of(built)
    [group] = [g for g in report.tasks[0].groups if g.best]
    assert group.one_seed == ("tiny/general/full",)
    assert "of the 2 cells with two seeds or more" in group.sentence
    assert "tiny/general/full is one of them, and scored above all others" in group.sentence
    _, sure, _ = sentences(report)
    assert "is shown to be the best of the cells with two seeds or more;" in sure
    assert "tiny/general/full has one seed, so how good that is cannot be judged" in sure


def test_seeds_that_differ_by_a_constant_cannot_be_judged(built):
    built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1, 2])
    by_seed(built, {"full": {1: 0.75, 2: 0.5}, "ia3": {1: 0.5, 2: 0.25}}, {})
    [group] = report_of(built).tasks[0].groups
    assert "tiny/general/ia3 cannot be judged against tiny/general/full" in group.sentence
    assert "distinguish" not in group.sentence


def test_each_task_has_a_sentence_of_its_own_on_how_sure_it_is(built):
    built.plan(["tiny"], ["general"], ["full", "ia3"], [task("one"), task("two")], seeds=[1, 2])
    for trial in built.sweep.trials:
        if trial.cell.task == "one" or trial.seed == 1:
            base = 0.8 if trial.cell.method == "full" else 0.3
            built.attempt(trial, Fate(quality=base + 0.001 * trial.seed * (base > 0.5)))
    one, sure, two, unsure, _ = sentences(report_of(built))
    assert one.startswith("For “One”, take")
    assert two.startswith("For “Two”, take")
    assert "tiny/general/full is shown to be the best of the cells;" in sure
    assert "has one seed (or identical ones)" in unsure


def test_the_same_ledger_gives_the_same_probabilities(built):
    built.plan(tasks=[task("outcome"), task("mentions", TaskKind.NER)])
    built.finish_all()
    assert report_json(report_of(built)) == report_json(report_of(built))


# Frontiers


def test_other_axes_have_a_frontier_each_and_what_lacks_a_figure_is_named(built):
    trials = built.plan(["tiny", "mini"], ["general"], ["full"], seeds=[1, 2])
    for trial in trials:
        tiny = trial.cell.model == "tiny"
        outcome = {"saved_bytes": 10 if tiny else 20}
        if tiny:
            each = Serving(batch_size=1, examples_per_second=100.0, latency_seconds=0.01, batches=5)
            outcome["serving"] = (each,)
        built.attempt(trial, Fate(quality=0.6 + 0.01 * trial.seed + (0 if tiny else 0.2), outcome=outcome))
    asked = (Objective.QUALITY, Objective.PEAK_MEMORY, Objective.STORED_BYTES)
    views = {view.axes: view for view in report_of(built, asked).tasks[0].frontiers}
    assert next(iter(views)) == (Objective.QUALITY, Objective.DEVICE_HOURS)
    stored = views[Objective.QUALITY, Objective.STORED_BYTES]
    assert [m.cell for m in stored.members] == ["tiny/general/full", "mini/general/full"]
    assert [w.cell for w in stored.within] == ["mini/general/full"] * 4
    latency = views[Objective.QUALITY, Objective.LATENCY]
    assert [m.cell for m in latency.members] == ["tiny/general/full"]
    assert latency.missing == ("mini/general/full",)
    assert any("latency" in note for note in latency.notes)
    assert len(views[asked].members) == 2
    assert (Objective.QUALITY, Objective.MONEY) not in views


def test_knee_and_hypervolume_of_a_frontier_worked_out_by_hand(built):
    built.plan(["tiny", "mini", "base"], ["general"], ["full"], seeds=[1])
    for trial in built.sweep.trials:
        seconds, quality = {"tiny": (10, 0.5), "mini": (100, 0.75), "base": (1000, 0.8)}[trial.cell.model]
        built.attempt(trial, Fate(quality=quality, seconds=seconds))
    view = report_of(built).tasks[0].frontiers[0]
    assert view.knee == "mini/general/full"
    assert view.hypervolume.value == pytest.approx((0.5 + 0.75) / 2)  # a decade each
    assert view.hypervolume.reference_quality == 0.0
    assert {w.points: w.cell.split("/")[0] for w in view.within} == {
        0.5: "base",
        1.0: "base",
        2.0: "base",
        5.0: "mini",
    }


def test_a_point_that_is_clearly_on_the_frontier_is_surely_on_it_and_a_close_one_is_not(built):
    built.plan(["tiny", "mini", "base"], ["general"], ["full"], seeds=range(5))
    for trial in built.sweep.trials:
        rng = np.random.default_rng([trial.seed, *trial.cell.model.encode(), 5])
        seconds, quality = {"tiny": (10, 0.7), "mini": (50, 0.5), "base": (100, 0.701)}[trial.cell.model]
        built.attempt(trial, Fate(quality=quality + 0.01 * rng.standard_normal(), seconds=seconds))
    report = report_of(built)
    chance = {p.cell.model: p.frontier_probability for p in report.tasks[0].points}
    assert chance["tiny"] == 1.0
    assert chance["mini"] == 0.0
    assert 0.05 < chance["base"] < 0.95
    marks = {row.cell.split("/")[0]: row.mark for row in frontier_rows(report)}
    assert marks == {"tiny": "◆", "mini": "", "base": "◇"}
    assert "◇" in write_report(report, built.ledger.directory / "report")["markdown"].read_text()


def test_near_the_frontier_is_what_nothing_beats_clearly_on_both():
    """By more than 1 point and at less than 95 % of the cost."""
    costs = np.array([[1.0, 1.04, 2.0, 2.0, 3.0]])
    quality = np.array([[0.8, 0.7, 0.795, 0.785, 0.9]])
    assert near_pareto_mask(costs, quality).tolist() == [[True, True, True, False, True]]


def test_true_scores_are_drawn_nearer_together_than_measured_ones():
    rng = np.random.default_rng(9)
    cells = World(seed=0.1).draw([0.8] * 12, 3, 200, rng)
    true = scores(cells, np.arange(1.0, 13.0), 2000, rng)
    measured = np.array([cell.mean for cell in cells])
    assert true.shape == (2000, 12)
    assert np.ptp(true.mean(axis=0)) < 0.5 * np.ptp(measured)
    apart = World(seed=0.1).draw(list(np.linspace(0.55, 0.9, 12)), 3, 2000, rng)
    drawn = scores(apart, np.ones(12), 2000, rng).mean(axis=0)
    assert drawn == pytest.approx([cell.mean for cell in apart], abs=0.04)


def test_one_seed_is_drawn_with_the_scatter_of_the_others(built):
    """Else a neighbour that it happens to beat would be shut out with certainty."""
    built.plan(["tiny", "mini"], ["general"], ["full", "ia3"], seeds=range(4))
    for trial in built.sweep.trials:
        rng = np.random.default_rng([trial.seed, *trial.cell.name.encode()])
        single = trial.cell.name.startswith("tiny/general/ia3")
        if single and trial.seed:
            continue
        quality = 0.71 if single else 0.7 + 0.02 * rng.standard_normal()
        built.attempt(trial, Fate(quality=quality, seconds=50 if single else 100))
    [found] = report_of(built).tasks
    chance = {p.name: p.frontier_probability for p in found.points}
    assert chance["tiny/general/ia3"] is None
    assert all(0 < value < 1 for value in chance.values() if value is not None)
    assert any("as much as those of the other cells" in note for note in found.frontiers[0].notes)


def test_a_further_backbone_moves_no_probability_that_it_does_not_beat(built):
    def chances(models):
        built.plan(models, ["general"], ["full", "ia3"], seeds=range(3))
        finish(built, {"full": 0.80, "ia3": 0.79}, documents=100)
        points = report_of(built).tasks[0].points
        return {p.name: p.frontier_probability for p in points if p.cell.model != "base"}

    before = chances(["tiny", "mini"])
    assert any(0.02 < value < 0.98 for value in before.values())
    built.plan(["tiny", "mini", "base"], ["general"], ["full", "ia3"], seeds=range(3))
    for trial in built.sweep.trials:
        if trial.cell.model == "base":
            built.attempt(trial, Fate(quality=0.01 + 0.001 * trial.seed, seconds=10_000))
    after = {p.name: p.frontier_probability for p in report_of(built).tasks[0].points}
    assert {name: after[name] for name in before} == before


# Few distinct values, so that ties are common.
figure = st.integers(1, 5).map(float)
missing = st.sampled_from([None, math.nan, math.inf])
backbones = st.lists(st.tuples(figure | missing, figure | missing), min_size=1, max_size=4)


@given(sweep=st.lists(backbones, min_size=1, max_size=5))
def test_adding_or_removing_a_backbone_changes_no_frontier_point_of_the_others(sweep):
    """A point of the others is on the frontier with all backbones if and only if it is on theirs and none of
    the backbone's points beats it: none comes in, none goes out for another reason."""
    whole = [point for backbone in sweep for point in backbone]
    flags = pareto_mask(as_costs(whole)).tolist()
    start = 0
    for backbone in sweep:
        end = start + len(backbone)
        rest = whole[:start] + whole[end:]
        left = flags[:start] + flags[end:]
        alone = pareto_mask(as_costs(rest)).tolist()
        theirs = [p for p, on in zip(backbone, pareto_mask(as_costs(backbone)).tolist(), strict=True) if on]
        for point, before, without in zip(rest, left, alone, strict=True):
            beaten = any(o[0] <= point[0] and o[1] >= point[1] and o != point for o in theirs if without)
            assert before == (without and not beaten)
        start = end
    assert not any(
        on and (None in p or not all(map(math.isfinite, p))) for p, on in zip(whole, flags, strict=True)
    )


rows = st.lists(st.tuples(figure, figure, figure | st.sampled_from([math.nan, math.inf])), max_size=10)


@given(rows)
def test_three_axes_keep_what_nothing_beats_ties_included(found):
    complete = [r for r in found if all(map(math.isfinite, r))]

    def beaten(one):
        return any(all(a <= b for a, b in zip(o, one, strict=True)) and o != one for o in complete)

    expected = [r in complete and not beaten(r) for r in found]
    assert list(pareto_mask(np.array(found, dtype=float).reshape(-1, 3))) == expected


def test_means_across_tasks_do_not_depend_on_the_other_cells(built):
    built.plan(["tiny", "mini"], ["general"], ["full"], [task("one"), task("two")], seeds=[1, 2])
    scores = {"tiny": 0.5, "mini": 0.7, "base": 0.9}

    def finished(models):
        for trial in built.sweep.trials:
            if trial.cell.model in models:
                built.attempt(trial, Fate(quality=scores[trial.cell.model], seconds=100))
        [found] = report_of(built).across
        return found

    before = {row.cell: row for row in finished(["tiny", "mini"]).rows}
    assert before["mini/general/full"].normalised_mean == pytest.approx(0.7)
    assert before["mini/general/full"].mean_rank == 1
    built.plan(["tiny", "mini", "base"], ["general"], ["full"], [task("one"), task("two")], seeds=[1, 2])
    found = finished(["base"])
    after = {row.cell: row for row in found.rows}
    assert after["mini/general/full"].mean_rank == 2
    assert after["mini/general/full"].normalised_mean == before["mini/general/full"].normalised_mean
    assert "Mean rank" in found.notes[1]


def test_a_mean_over_combinations_says_in_how_many_of_them_it_holds(built):
    """full is better under tiny and mini, and worse under base."""
    built.plan(["tiny", "mini", "base"], ["general"], ["full", "ia3"], seeds=range(3))
    for trial in built.sweep.trials:
        better = (trial.cell.method == "full") != (trial.cell.model == "base")
        built.attempt(trial, Fate(quality=0.7 + (0.1 + 0.002 * trial.seed) * better, seconds=100))
    report = report_of(built)
    [family] = [f for f in report.tasks[0].claims if f.name == "methods"]
    assert ", higher in 2 of 3 combinations (95 %" in family.claims[0].sentence
    assert "methods" in {f.name for f in report.tasks[0].claims}
    [said] = [line for line in report.notices if "families" in line]
    assert "if nothing differed, up to 0." in said


def test_a_level_that_is_better_in_the_mean_alone_is_not_said_to_beat_the_other(built):
    """full is better under base, by far, and worse under tiny and mini."""
    built.plan(["tiny", "mini", "base"], ["general"], ["full", "ia3"], seeds=range(3))
    for trial in built.sweep.trials:
        full, base = trial.cell.method == "full", trial.cell.model == "base"
        ahead = (0.3 if base else -0.02) * full
        built.attempt(trial, Fate(quality=0.6 + ahead + 0.001 * trial.seed * full, seconds=100))
    claim = claims_of(report_of(built), "methods")["full", "ia3"]
    assert claim.distinguishable
    assert claim.sentence.startswith("full scored 8.8 points above ia3 on “Outcome” in the mean alone")
    assert ", higher in 1 of 3 combinations (95 %" in claim.sentence


def test_means_over_tasks_and_hypervolumes_have_intervals(built):
    built.plan(["tiny", "mini"], ["general"], ["full", "ia3"], [task("one"), task("two")], seeds=range(3))
    for trial in built.sweep.trials:
        rng = np.random.default_rng([trial.seed, *trial.cell.name.encode()])
        seconds = 100 if trial.cell.method == "full" else 50
        built.attempt(trial, Fate(quality=0.7 + 0.01 * rng.standard_normal(), seconds=seconds))
    report = report_of(built)
    for row in report.across[0].rows:
        assert row.mean_interval[0] < row.normalised_mean < row.mean_interval[1]
        assert 1 <= row.rank_interval[0] <= row.mean_rank <= row.rank_interval[1] <= 4
    volume = report.tasks[0].frontiers[0].hypervolume
    assert 0 < volume.interval[0] < volume.interval[1] < 1
    assert "compare only values over the same range" in volume.sentence


def test_means_over_tasks_and_hypervolumes_with_failed_seeds_have_no_interval(built):
    """Its scores are in two heaps."""
    built.plan(["tiny"], ["general"], ["full", "ia3"], [task("one"), task("two")], seeds=range(3))
    for trial in built.sweep.trials:
        failed = (trial.cell.method, trial.cell.task, trial.seed) == ("full", "one", 0)
        worked = Fate(quality=0.7 + 0.01 * trial.seed, seconds=100 if trial.cell.method == "full" else 50)
        built.attempt(trial, Fate(failure=FailureKind.COLLAPSED) if failed else worked)
    report = report_of(built)
    assert [found.frontiers[0].hypervolume.interval is None for found in report.tasks] == [True, False]
    rows = {row.cell: row for row in report.across[0].rows}
    assert rows["tiny/general/full"].mean_interval is None
    assert rows["tiny/general/full"].rank_interval is not None
    assert rows["tiny/general/ia3"].mean_interval is not None


def test_true_scores_are_drawn_from_the_model_that_the_page_of_methods_gives():
    """Its formulas, in the basis of the cells: mean and standard deviation of the true score of each."""
    rng = np.random.default_rng(5)
    cells = World(seed=0.1).draw([0.70, 0.72, 0.75, 0.80, 0.79], 3, 150, rng)
    costs = np.array([1.0, 2.0, 2.5, 7.0, 11.0])
    m = np.array([cell.quality.mean() for cell in cells])
    x = (np.log(costs) - np.log(costs).mean()) / np.log(costs).std()
    prior = prior_of(cells)
    own = [prior.moderate(float(cell.quality.var(ddof=1)), 2.0, 1.0)[0] / 3 for cell in cells]
    y = np.stack([cell.parts.mean(axis=0) for cell in cells])
    r = np.array(
        [cell.document_variance / (row.var(ddof=1) / 150) for cell, row in zip(cells, y, strict=True)]
    )
    f = (y - m[:, None]) * np.sqrt(r / (150 * 149))[:, None]
    e = np.diag(own) + f @ f.T
    found = []  # weight, mean, covariance
    for v, v_width in evenly(np.geomspace(0.03, 2.0, 16)):
        sizes = [(0.0, 0.5), *((w, width / 2) for w, width in evenly(np.geomspace(0.05, 2.0, 10)))]
        for w, w_width in sizes:
            weight, mean, covariance = true_scores_given(m, x, e, v * m.std(), w * m.std())
            found.append((np.log(v_width * w_width) + weight, mean, covariance))
    logs = np.array([weight for weight, _, _ in found])
    weights = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    mean = sum(weight * one for weight, (_, one, _) in zip(weights, found, strict=True))
    variance = sum(
        weight * (np.diag(covariance) + (one - mean) ** 2)
        for weight, (_, one, covariance) in zip(weights, found, strict=True)
    )
    drawn = scores(cells, costs, 40_000, rng)
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.03 * np.sqrt(variance).min())
    assert drawn.std(axis=0) == pytest.approx(np.sqrt(variance), rel=0.03)


def evenly(values):
    """With the share of each in their range."""
    widths = np.gradient(values)
    return list(zip(values, widths / widths.sum(), strict=True))


def true_scores_given(m, x, e, v, w):
    """The logarithm of the density of `m`, and the mean and the covariance of the true scores, given `v` and
    `w`, with level and slope integrated out."""
    ones, total = np.ones(len(m)), e + v**2 * np.eye(len(m))
    inverse = np.linalg.inv(total + w**2 * np.outer(x, x))
    information = ones @ inverse @ ones
    rest = m - ones @ inverse @ m / information
    log_density = -0.5 * (np.log(information) - np.linalg.slogdet(inverse)[1] + rest @ inverse @ rest)
    columns = np.stack([ones, x], axis=1) if w else ones[:, None]
    precision = columns.T @ np.linalg.inv(total) @ columns
    if w:
        precision[1, 1] += 1 / w**2
    line = columns @ np.linalg.inv(precision) @ columns.T @ np.linalg.inv(total) @ m
    g = v**2 * np.linalg.inv(total)
    left = (np.eye(len(m)) - g) @ columns
    return log_density, line + g @ (m - line), g @ e + left @ np.linalg.inv(precision) @ left.T


# On a known truth. Seeded; the bench prints the same at more simulations.


@pytest.mark.parametrize("seeds", [2, 3, 4, 5, 10])
@pytest.mark.parametrize("ratio", [0.001, 0.05, 0.2, 1.0, 3.0, 20.0, 1000.0])
def test_intervals_cover_what_they_say_whichever_part_scatters_more(seeds, ratio):
    """Summed up exactly over the distribution of what the seeds scatter, `ratio` times what documents do."""
    middles = (np.arange(1000) + 0.5) / 1000
    scatter = ratio * stats.chi2.ppf(middles, seeds - 1) / (seeds - 1)
    ends = [MeanEstimate(0.0, seeds, 2000, math.sqrt(found), 1.0).interval[1] for found in scatter]
    held = 1 - 2 * stats.norm.sf(np.array(ends) / math.sqrt(1 + ratio))
    assert 0.93 <= held.mean() <= 0.97


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("ratio", [0.2, 3.0, 20.0])
@pytest.mark.parametrize("level", [0.05 / 6, 0.05 / 28])
def test_small_p_values_are_no_more_frequent_than_they_say(seeds, ratio, level):
    """Where nothing differs, at the levels that Holm's correction compares them with."""
    rng = np.random.default_rng(8)
    scatter = ratio * rng.chisquare(seeds - 1, 2000) / (seeds - 1)
    limits = [
        brentq(lambda at, s=s: MeanEstimate(at, seeds, 2000, math.sqrt(s), 1.0).p - level, 0, 1e5)
        for s in scatter[:300]
    ]
    wrong = 2 * stats.norm.sf(np.array(limits) / math.sqrt(1 + ratio))
    assert wrong.mean() <= 1.6 * level


def test_an_interval_ends_where_its_p_value_is_one_in_twenty():
    found = MeanEstimate(0.05, 2, 100, 0.01, 0.02)
    half = found.interval[1] - found.mean
    assert MeanEstimate(half, 2, 100, 0.01, 0.02).p == pytest.approx(0.05)


def test_two_seeds_that_differ_by_the_same_count_of_documents_are_no_certain_claim():
    """Scores of n documents lie on a lattice, so equal differences do not mean that seeds do not scatter."""
    assert MeanEstimate(0.02, 2, 2000, 0.0, 0.005).p > 0.05 / 28
    assert MeanEstimate(0.03, 2, 200, 0.0, 0.008).p > 0.05 / 28
    assert MeanEstimate(0.02, 5, 2000, 0.0, 0.005).p == pytest.approx(2 * stats.norm.sf(4), rel=0.05)


@pytest.mark.parametrize(
    ("seeds", "scatter", "f1", "documents"),
    [(2, 0.15, False, 100), (2, 0.03, False, 100), (3, 0.5, True, 100), (3, 0.0, False, 400)],
)
def test_intervals_hold_the_truth_as_often_as_they_say(seeds, scatter, f1, documents):
    rng = np.random.default_rng([5, seeds, documents])
    truth = true_f1(0.8) - true_f1(0.75) if f1 else 0.05
    held = 0
    for _ in range(2000):
        one, other = World(seed=scatter).draw([0.8, 0.75], seeds, documents, rng, f1=f1)
        low, high = difference(one, other).interval
        held += low <= truth <= high
    assert 0.93 <= held / 2000 <= 0.97


def test_a_family_claims_nothing_too_often_where_nothing_differs():
    rng = np.random.default_rng(6)
    wrong = missed = 0
    for _ in range(150):
        cells = World(seed=0.15).draw([0.8] * 3, 3, 100, rng)
        pairs = [(0, 1), (0, 2), (1, 2)]
        wrong += min(holm([difference(cells[i], cells[j]).p for i, j in pairs], 3)) < 0.05
        group = best_set([point_of(c) for c in cells], {c.name: c for c in cells})
        missed += cells[0].name not in group.cells
    assert wrong / 150 <= 0.08
    assert missed / 150 <= 0.08


@given(st.lists(st.none() | st.floats(0, 1), max_size=12), st.integers(0, 30))
def test_corrections_are_those_of_statsmodels(p_values, size):
    from statsmodels.stats.multitest import multipletests

    some = [p for p in p_values if p is not None]
    padded = [*some, *[1.0] * (size - len(some))]
    with patch("gc.collect"):  # which it calls each time: a quarter of a second in a process as large as this
        expected = list(multipletests(padded, method="holm")[1]) if some else []
    adjusted = holm(p_values, size)
    assert [p for p in adjusted if p is not None] == expected[: len(some)]
    assert [p is None for p in adjusted] == [p is None for p in p_values]


def test_seeds_alone_would_claim_too_much_about_another_test_set():
    """The reason why documents are recorded at all: the same simulation without them."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(200):
        one, other = World(seed=0.02, own=1.0, mixed=0.1).draw([0.8, 0.75], 5, 100, rng)
        low, high = mean_estimate(one.quality - other.quality, None).interval
        held += low <= 0.05 <= high
    assert held / 200 < 0.85
