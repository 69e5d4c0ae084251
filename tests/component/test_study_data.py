"""Bad records, few-shot samples and the study's scoring, from a trial's order to its outcome."""

from __future__ import annotations

import json

import pytest

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Split, TaskKind
from workers.inputs import DataSpec, read_examples
from workers.runtime.attempt import run_attempt


def changed(order, **task):
    """The same order with other keys of its task."""
    content = json.loads(order.read_text())
    content["trial"]["task"] |= task
    order.write_text(json.dumps(content))
    return order


def test_the_studys_score_stands_beside_ours(lab, outcome_of):
    order = changed(lab.order(kind=TaskKind.NER, recipe={"epochs": 12}), paper_scoring=True)
    run_attempt(order)
    outcome = outcome_of(order)
    assert outcome.failure is None
    theirs, ours = outcome.test[MetricName.SUBWORD_F1].value, outcome.test[MetricName.ENTITY_F1].value
    assert theirs > 0.9
    assert ours > 0.9
    plain = lab.order(kind=TaskKind.NER)
    run_attempt(plain)
    assert MetricName.SUBWORD_F1 not in outcome_of(plain).test


def test_skipped_records_and_classes_are_in_the_outcome(lab, outcome_of):
    with (lab.data / "train.jsonl").open("a") as file:
        file.write('{"text": "fever", "label": ""}\n{"text"\n')
    failed = lab.order()
    run_attempt(failed)
    assert outcome_of(failed).failure.kind is FailureKind.BAD_INPUT
    order = changed(lab.order(), on_bad_record="skip")
    run_attempt(order)
    outcome = outcome_of(order)
    skipped = {split: counts.skipped for split, counts in outcome.splits.items()}
    assert skipped[Split.TRAIN] == {"the label is empty": 1, "it is not a JSON object": 1}
    assert skipped[Split.DEV] == skipped[Split.TEST] == {}
    assert sum(outcome.train_classes.values()) == outcome.rows["train"] == 42
    assert outcome.train_classes.keys() == {"ill", "well"}
    assert outcome.guessing[MetricName.MACRO_F1] < outcome.guessing[MetricName.ACCURACY] < 1


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_sample_of_each_class_is_recorded_as_it_turned_out(lab, size):
    def examples(recipe):
        order = AttemptOrder.model_validate_json(lab.order(recipe=recipe).read_bytes())
        return read_examples(DataSpec.of(order))

    whole, sample = examples({}), examples({"train_rows_per_class": size})
    assert sample.train_classes == {name: min(n, size) for name, n in whole.train_classes.items()}
    assert sample.rows["train"] == sum(sample.train_classes.values())
    assert sample.rows["train_available"] == 42
    assert sample.splits[Split.TEST] == whole.splits[Split.TEST]


def test_a_class_that_train_lacks_counts_none(lab):
    order = changed(lab.order(), labels=["ill", "unsure", "well"])
    found = read_examples(DataSpec.of(AttemptOrder.model_validate_json(order.read_bytes())))
    assert found.train_classes["unsure"] == 0
