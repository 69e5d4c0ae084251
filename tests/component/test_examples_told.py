"""What an attempt tells of each document: made by the real evaluation, read back from its file."""

from __future__ import annotations

import math

import pytest

from orchestrator.contracts import layout
from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.vocabulary import TaskKind
from workers.runtime.attempt import run_attempt


def told(order) -> ScoredExamples:
    return ScoredExamples.from_bytes((order.parent / layout.EXAMPLES).read_bytes())


@pytest.mark.parametrize("kind", [TaskKind.CLASSIFICATION, TaskKind.NER])
def test_two_cells_tell_of_the_same_documents_and_their_sums_are_their_scores(lab, outcome_of, kind):
    orders = [lab.order(method, kind, recipe={"epochs": 6}) for method in ("full", "ia3")]
    for order in orders:
        run_attempt(order)
    found = [told(order) for order in orders]
    for order, record in zip(orders, found, strict=True):
        score = outcome_of(order).test[record.metric].value
        if score is not None:
            assert math.fsum(record.numerator) / math.fsum(record.denominator) == pytest.approx(score)
    assert found[0].test_set == found[1].test_set
    assert len(found[0].numerator) == len(found[1].numerator)


def test_a_failed_attempt_tells_of_no_document(lab, outcome_of):
    order = lab.order(recipe={"learning_rate": 1e30, "warmup_ratio": 0.0})
    run_attempt(order)
    assert outcome_of(order).failure is not None
    assert not (order.parent / layout.EXAMPLES).exists()
