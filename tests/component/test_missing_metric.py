"""Trials whose task's metric is not to be had: of no answer at all, or of the answers so far."""

from __future__ import annotations

import json

import pytest

from orchestrator.contracts.vocabulary import FailureKind, Phase, TaskKind
from workers.runtime.attempt import run_attempt


def scored_by(metric, order, **task):
    content = json.loads(order.read_text())
    content["trial"]["task"] |= {"metric": metric} | task
    order.write_text(json.dumps(content))
    return order


def leave_one_class(lab, split):
    file = lab.data / f"{split}.jsonl"
    ill = [line for line in file.read_text().splitlines() if '"ill"' in line]
    file.write_text("\n".join(ill) + "\n")


def leave_no_mention(lab, split):
    file = lab.data / f"{split}.tsv"
    file.write_text(file.read_text().replace("B-sign", "O"))


@pytest.mark.parametrize("split", ["dev", "test"])
def test_what_no_answer_can_score_fails_before_the_first_step(lab, outcome_of, split):
    leave_one_class(lab, split)
    order = scored_by("macro_auroc", lab.order())
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure.kind is FailureKind.BAD_INPUT
    message = f"{split} has no macro_auroc: 1 of the 2 classes has no row in it ('well')"
    assert message in outcome.failure.message
    assert outcome.failure.phase is Phase.TOKENISE  # before the weights are loaded
    assert "->" in outcome.failure.message
    assert outcome.steps == 0


@pytest.mark.parametrize("paper_scoring", [False, True])
def test_mentions_are_needed_where_they_are_scored(lab, outcome_of, paper_scoring):
    leave_no_mention(lab, "dev")
    metric = "subword_f1" if paper_scoring else "entity_f1"
    order = scored_by(metric, lab.order(kind=TaskKind.NER), paper_scoring=paper_scoring)
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure.kind is FailureKind.BAD_INPUT
    assert f"dev has no {metric}: there is nothing to find" in outcome.failure.message


@pytest.mark.parametrize(("kind", "metric"), [(TaskKind.CLASSIFICATION, "accuracy"), (TaskKind.NER, "loss")])
def test_a_metric_that_can_be_had_is_no_failure(lab, outcome_of, kind, metric):
    leave_one_class(lab, "dev")
    leave_no_mention(lab, "dev")
    order = scored_by(metric, lab.order(kind=kind))
    run_attempt(order)
    assert outcome_of(order).failure is None


def test_a_candidate_of_a_search_needs_no_test(lab, outcome_of):
    leave_one_class(lab, "test")
    order = scored_by("macro_auroc", lab.order("lora", candidate=3))
    run_attempt(order)
    assert outcome_of(order).failure is None


def test_while_the_metric_may_yet_come_the_latest_evaluation_is_kept(lab, outcome_of, events_of):
    """Nothing is predicted, so there is no precision: the first weights are no better than the last."""
    leave_no_mention(lab, "train")
    with (lab.data / "train.tsv").open("a") as file:
        file.write("\nfever\tB-sign\n")
    order = lab.order(kind=TaskKind.NER, recipe={"epochs": 3})
    scored_by("entity_precision", order, labels=["sign"])  # one mention is too few for a type undeclared
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure is None
    assert outcome.dev[outcome.metric].missing == "nothing was predicted"
    assert outcome.best_step == outcome.steps
    evaluations = [event for event in events_of(order) if event.event == "evaluation"]
    assert [event.best for event in evaluations] == [True, True, True]
