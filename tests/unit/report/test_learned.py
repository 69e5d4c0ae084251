"""What guessing gives, and a report of cells that do no better."""

from __future__ import annotations

from pathlib import Path

import pytest
from ledger_builder import Fate, LedgerBuilder, task

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.vocabulary import FailureKind, FailureRule, TaskKind
from orchestrator.report import Report, build_report, write_report
from orchestrator.report.analysis.learned import NOT_SHOWN
from orchestrator.report.recommendation.summary import recommendations, sentences

OUTCOME = {"guessing": {MetricName.MACRO_F1: 0.4, MetricName.ACCURACY: 0.66}}
STOPPED = Fate(failure=FailureKind.COLLAPSED, outcome=OUTCOME)


def report_of(
    path: Path, *scores: float | None, outcome=OUTCOME, failures: FailureRule = FailureRule.COUNT
) -> Report:
    """Two cells of three seeds; None: it collapsed."""
    built = LedgerBuilder(path)
    trials = built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1, 2, 3])
    built.ledger.write_sweep(built.ledger.sweep().model_copy(update={"failures": failures}))
    for trial, quality in zip(trials, scores, strict=True):
        built.attempt(trial, STOPPED if quality is None else Fate(quality=quality, outcome=outcome))
    return build_report(built.ledger.sweep(), built.ledger.trials())


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ((0.39, 0.40, 0.38, 0.40, 0.37, 0.36), "No model scores better than guessing."),
        (
            (0.9, None, None, 0.8, None, None),
            "Training failed with most seeds: 4 of 6 collapsed",
        ),
        ((None,) * 6, "Training failed with most seeds: 6 of 6 collapsed or diverged."),
        ((0.39, 0.43, 0.41, 0.37, 0.44, 0.40), "No model is shown to score better than guessing."),
        # A cell with a failed seed is judged by those that worked.
        ((0.44, 0.43, None, 0.37, 0.44, 0.40), "No model is shown to score better than guessing."),
        ((0.44, None, None, 0.37, 0.44, 0.40), "No model is shown to score better than guessing."),
    ],
)
def test_where_nothing_was_learnt_the_answer_begins_with_that_and_recommends_nothing(tmp_path, scores, why):
    report = report_of(tmp_path, *scores)
    [task] = report.tasks
    [answer] = task.answers
    assert answer.startswith(why)
    failed = why.startswith("Training failed")
    advice = "train for more steps, or with another learning rate" if failed else "train longer"
    assert f"So nothing is recommended: {advice}" in answer
    assert sentences(report)[0].startswith(f"For “Outcome”, there is no answer. {why}")
    assert recommendations(task, task.comparisons[0]) == ()
    page = write_report(report, tmp_path / "report")["markdown"].read_text()
    assert "more seeds" not in page
    assert "take tiny" not in page


def test_seeds_that_diverged_ask_for_a_lower_learning_rate(tmp_path):
    built = LedgerBuilder(tmp_path)
    for trial in built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1, 2]):
        built.attempt(trial, Fate(failure=FailureKind.DIVERGED, outcome=OUTCOME))
    [task] = build_report(built.ledger.sweep(), built.ledger.trials()).tasks
    assert (
        "So nothing is recommended: lower the learning rate, or warm up for longer first." in task.answers[0]
    )


def test_scores_far_above_guessing_with_wide_intervals_ask_for_seeds(tmp_path):
    """They may well have learnt: it would be wrong to say that they did not."""
    report = report_of(tmp_path, 0.95, 0.45, 0.6, 0.9, 0.42, 0.5)
    said = sentences(report)[0]
    assert said.startswith(
        "For “Outcome”, there is no answer. No model is shown to score better than guessing:"
    )
    assert "So nothing is recommended: add seeds or test documents first." in said


def test_a_failed_seed_beside_seeds_that_learnt_much_is_not_taken_for_guessing(tmp_path):
    report = report_of(tmp_path, 0.52, 0.53, None, 0.37, 0.44, 0.40)
    assert report.tasks[0].unlearned == {}


@pytest.mark.parametrize("rule", list(FailureRule))
@pytest.mark.parametrize("second", [None, 0.5])
def test_one_good_seed_of_a_cell_does_not_show_that_it_learnt(tmp_path, rule, second):
    """Nor do two that are far apart. The cell has failed seeds, and the other one scores as guessing does."""
    report = report_of(tmp_path, 0.9, second, None, 0.37, 0.44, 0.40, failures=rule)
    [task] = report.tasks
    assert task.answers[0].startswith(NOT_SHOWN)
    assert "add seeds or test documents" in task.answers[0]
    assert recommendations(task, task.comparisons[0]) == ()


@pytest.mark.parametrize(("alone", "learnt"), [(0.41, False), (0.6, True)])
def test_a_cell_of_one_seed_has_learnt_if_it_is_far_above_guessing(tmp_path, alone, learnt):
    """Nothing is known of how its seeds scatter."""
    built = LedgerBuilder(tmp_path)
    for trial in built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1]):
        built.attempt(trial, Fate(quality=alone if trial.cell.method == "full" else 0.38, outcome=OUTCOME))
    [task] = build_report(built.ledger.sweep(), built.ledger.trials()).tasks
    assert (task.unlearned == {}) is learnt


def test_cells_that_are_better_than_guessing_are_recommended(tmp_path):
    report = report_of(tmp_path, 0.60, 0.61, 0.62, 0.5, 0.52, 0.51)
    assert report.tasks[0].unlearned == {}
    assert sentences(report)[0].startswith("For “Outcome”, take tiny/general/full")


def test_what_to_take_by_budget_begins_with_a_cell_that_is_better_than_guessing(tmp_path):
    built = LedgerBuilder(tmp_path)
    trials = built.plan(["tiny"], ["general"], ["head-only", "full"], seeds=[1, 2, 3])
    for trial, quality in zip(trials, (0.45, None, None, 0.60, 0.61, 0.62), strict=True):
        seconds = 10 if trial.cell.method == "head-only" else 100
        fate = Fate(quality=quality, outcome=OUTCOME, seconds=seconds)
        built.attempt(trial, STOPPED if quality is None else fate)
    [task] = build_report(built.ledger.sweep(), built.ledger.trials()).tasks
    assert {p.cell.method for p in task.points if p.frontier} == {"head-only", "full"}
    [row] = recommendations(task, task.comparisons[0])
    assert row.point.cell.method == "full"


def test_a_model_to_take_that_may_guess_is_named_as_one(tmp_path):
    """Another one is better than guessing, and the cheapest within a point of it scatters more."""
    built = LedgerBuilder(tmp_path)
    trials = built.plan(["tiny"], ["general"], ["full", "ia3"], seeds=[1, 2, 3])
    for trial, quality in zip(trials, (0.450, 0.451, 0.449, 0.40, 0.49, 0.445), strict=True):
        seconds = 100 if trial.cell.method == "full" else 50
        built.attempt(trial, Fate(quality=quality, outcome=OUTCOME, seconds=seconds))
    choice, sure, _ = sentences(build_report(built.ledger.sweep(), built.ledger.trials()))
    assert "take tiny/general/ia3" in choice
    assert sure.startswith("How sure: tiny/general/ia3 is not shown to score better than guessing; ")


def test_the_report_says_what_guessing_gives(tmp_path):
    notes = report_of(tmp_path, *[0.6] * 6).tasks[0].notes
    assert "Guessing (always the commonest class of train) gives macro F1 0.400." in notes


def test_of_older_trials_it_is_supposed_from_the_classes_of_train(tmp_path):
    report = report_of(tmp_path, *[0.9] * 6, outcome={"train_classes": {"ill": 25, "well": 75}})
    assert report.tasks[0].guessing[MetricName.ACCURACY] == 0.75
    assert report.tasks[0].guessing[MetricName.MACRO_F1] == pytest.approx(1.5 / 1.75 / 2)
    assert any("if test has the classes of train" in note for note in report.tasks[0].notes)


def test_means_over_tasks_go_from_what_guessing_gives_on_each(tmp_path):
    built = LedgerBuilder(tmp_path)
    both = [task("one"), task("two", TaskKind.RELATION)]
    for trial in built.plan(["tiny"], ["general"], ["full"], both, seeds=[1]):
        built.attempt(trial, Fate(quality=0.7, outcome=OUTCOME if trial.cell.task == "one" else {}))
    [across] = build_report(built.ledger.sweep(), built.ledger.trials()).across
    assert across.rows[0].normalised_mean == pytest.approx((0.3 / 0.6 + 0.7) / 2)
    assert "(“One” 0.400, “Two” 0.000)" in across.notes[0]
