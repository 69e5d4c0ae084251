"""Trials that give one answer to everything."""

from __future__ import annotations

import pytest

from orchestrator.contracts.metrics import MetricName, MetricValue
from orchestrator.contracts.vocabulary import FailureKind, Signature, TaskKind
from workers.checkpoint import saved
from workers.evaluate import is_collapsed
from workers.runtime.attempt import run_attempt

SOME, NONE = MetricValue(value=0.4), MetricValue(missing="nothing was predicted")


@pytest.fixture
def bare_train(lab):
    """A train part that holds mentions in two sentences only, so that O is the answer to everything."""
    file = lab.data / "train.tsv"
    first, *others = file.read_text().split("\n\n")
    assert "B-sign" in first
    file.write_text("\n\n".join([first, first, *(text.replace("B-sign", "O") for text in others[1:])]))
    return lab


def evaluations(events) -> list[tuple[int, bool]]:
    return [(event.step, event.collapsed) for event in events if event.event == "evaluation"]


def test_a_collapse_is_seen_and_does_not_end_a_trial_by_itself(bare_train, outcome_of, events_of):
    order = bare_train.order(kind=TaskKind.NER, recipe={"epochs": 3})
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure is None
    assert outcome.signature is Signature.COLLAPSED
    assert evaluations(events_of(order)) == [(6, True), (12, True), (18, True)]


@pytest.mark.parametrize(("grace", "steps"), [(0.0, 6), (0.5, 12), (2 / 3, 12), (0.7, 18)])
def test_a_collapse_after_the_grace_ends_a_trial_that_asks_for_it(bare_train, outcome_of, grace, steps):
    recipe = {"epochs": 3, "stop_collapsed": True, "collapse_grace": grace}
    order = bare_train.order(kind=TaskKind.NER, recipe=recipe)
    run_attempt(order)
    outcome = outcome_of(order)
    assert (outcome.state, outcome.failure.kind) == ("failed", FailureKind.COLLAPSED)
    assert "learning_rate" in outcome.failure.message
    assert outcome.steps == steps
    assert outcome.dev
    assert outcome.test == {}


def test_a_trial_that_learns_is_never_stopped(lab, outcome_of, events_of):
    recipe = {"epochs": 12, "stop_collapsed": True, "collapse_grace": 0.5, "learning_rate": 1e-2}
    order = lab.order(kind=TaskKind.NER, recipe=recipe)
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure is None
    assert outcome.signature in (Signature.IMPROVING, Signature.CONVERGED)
    assert not any(collapsed for step, collapsed in evaluations(events_of(order)) if step > 36)


def test_an_interruption_changes_no_signature(bare_train, outcome_of, monkeypatch):
    order = bare_train.order(kind=TaskKind.NER, recipe={"epochs": 4}, checkpoint_seconds=0)
    with monkeypatch.context() as patch:
        patch.setattr("workers.runtime.attempt.shutil.rmtree", lambda *_, **__: None)  # the checkpoints stay
        run_attempt(order)
    [first, *_] = saved(order.parent / "checkpoint")
    again = bare_train.order(kind=TaskKind.NER, recipe={"epochs": 4}, resume_from=str(first))
    run_attempt(again)
    assert outcome_of(again).resumed_from_step == 6
    assert outcome_of(again).signature is outcome_of(order).signature is Signature.COLLAPSED


@pytest.mark.parametrize(
    ("kind", "precision", "recall"),
    [
        (TaskKind.NER, MetricName.ENTITY_PRECISION, MetricName.ENTITY_RECALL),
        (TaskKind.RELATION, MetricName.POSITIVE_MICRO_PRECISION, MetricName.POSITIVE_MICRO_RECALL),
    ],
)
def test_nothing_found_is_a_collapse_only_where_there_is_something(lab, kind, precision, recall):
    task = lab.task(TaskKind.NER).model_copy(update={"kind": kind})
    assert is_collapsed(task, {precision: NONE, recall: SOME}, one_class=False)
    assert not is_collapsed(task, {precision: NONE, recall: NONE}, one_class=True)
    assert not is_collapsed(task, {precision: SOME, recall: SOME}, one_class=False)


@pytest.mark.parametrize(
    ("area", "one_class", "expected"),
    [
        (0.515, False, True),
        (0.485, False, True),
        (0.525, False, False),
        (0.5323, True, True),  # the majority class for everything, as once in the study
        (0.8, True, False),  # it ranks well, and the other class is rare
        (None, True, True),
        (None, False, False),
    ],
)
def test_where_auroc_is_the_metric_it_is_the_judge(lab, area, one_class, expected):
    task = lab.task(TaskKind.CLASSIFICATION).model_copy(update={"metric": MetricName.MACRO_AUROC})
    found = MetricValue(value=area) if area is not None else MetricValue(missing="a class is absent")
    assert is_collapsed(task, {MetricName.MACRO_AUROC: found}, one_class) is expected
    other = task.model_copy(update={"metric": MetricName.MACRO_F1})
    assert is_collapsed(other, {MetricName.MACRO_AUROC: found}, one_class) is one_class


def test_one_class_for_everything_is_seen_in_a_classification(lab, outcome_of, events_of):
    file = lab.data / "train.jsonl"
    rows = file.read_text()
    place = rows.index('"ill"') + len('"ill"')  # one such row stays: the class is known
    file.write_text(rows[:place] + rows[place:].replace('"ill"', '"well"'))
    order = lab.order(recipe={"epochs": 3})
    run_attempt(order)
    assert outcome_of(order).signature is Signature.COLLAPSED
    assert evaluations(events_of(order))[-1] == (18, True)
