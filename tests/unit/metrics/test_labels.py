"""Scores of any number of labels per text, and the threshold that is chosen on dev."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_builder import task
from sklearn.metrics import f1_score, roc_auc_score

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.vocabulary import TaskKind
from workers.contributions import scored_examples
from workers.data.examples import MultilabelText
from workers.documents import number_documents
from workers.guessing import guessing
from workers.metrics import score_labels
from workers.tasks import Encoded, LogitMeaning
from workers.thresholds import best_threshold, probabilities

LABELS = ("a", "b", "c")
FIGURES = (MetricName.MICRO_F1, MetricName.MACRO_F1, MetricName.MACRO_AUROC)
GOLD = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]], dtype=bool)


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 12))
    gold = draw(st.lists(st.booleans(), min_size=3 * n, max_size=3 * n))
    logits = draw(st.lists(st.integers(-3, 3), min_size=3 * n, max_size=3 * n))  # few values: ties
    return np.array(gold).reshape(n, 3), np.array(logits, dtype=np.float32).reshape(n, 3)


@given(found=answers())
def test_scores_are_those_of_scikit_learn_without_labels_that_never_occur(
    found: tuple[np.ndarray, np.ndarray],
) -> None:
    gold, shares = found[0], probabilities(found[1])
    predicted = shares >= 0.4
    scores = score_labels(gold, predicted, shares)
    occurs = np.flatnonzero((gold | predicted).any(axis=0))
    if not len(occurs):
        assert scores[MetricName.MICRO_F1].value is scores[MetricName.MACRO_F1].value is None
        return
    micro = f1_score(gold, predicted, average="micro", zero_division=0)
    assert scores[MetricName.MICRO_F1].value == pytest.approx(micro)
    macro = f1_score(gold, predicted, average="macro", labels=occurs, zero_division=0)
    assert scores[MetricName.MACRO_F1].value == pytest.approx(macro)
    if (gold.all(axis=0) | ~gold.any(axis=0)).any():
        assert scores[MetricName.MACRO_AUROC].missing is not None
    else:
        area = roc_auc_score(gold, shares, average="macro")
        assert scores[MetricName.MACRO_AUROC].value == pytest.approx(area)


@pytest.mark.parametrize("metric", FIGURES[:2])
@given(found=answers())
def test_no_other_threshold_scores_better(metric: MetricName, found: tuple[np.ndarray, np.ndarray]) -> None:
    gold, shares = found[0], probabilities(found[1])
    if not gold.any():
        assert best_threshold(metric, gold, shares) == 0.5
        return

    def at(threshold: float) -> float:
        return score_labels(gold, shares >= threshold, shares)[metric].value or 0.0

    chosen = at(best_threshold(metric, gold, shares))
    assert chosen == pytest.approx(max(at(float(share)) for share in shares.ravel()))


def test_the_threshold_is_in_the_middle_between_two_scores() -> None:
    gold = np.array([[True, False], [False, False]])
    shares = np.array([[0.9, 0.5], [0.1, 0.1]])
    assert best_threshold(MetricName.MICRO_F1, gold, shares) == pytest.approx(0.7)


@given(found=answers())
def test_the_sums_over_documents_give_the_score(found: tuple[np.ndarray, np.ndarray]) -> None:
    gold, logits = found
    scores = score_labels(gold, probabilities(logits) >= 0.4, probabilities(logits))
    examples = [
        MultilabelText("secret words", None, "", f"d{n // 2}", labels=tuple(np.array(LABELS)[row]))
        for n, row in enumerate(gold)
    ]
    data = Encoded(
        input_ids=[[1]] * len(gold),
        labels=gold.astype(float).tolist(),
        token_type_ids=None,
        truncated=0,
        objective=LogitMeaning.ANY_OF,
    )
    for metric in FIGURES:
        asked = task("t", TaskKind.MULTILABEL).model_copy(update={"metric": metric})
        record = scored_examples(asked, LABELS, number_documents(examples), data, list(logits), 0.4)
        if record is None:
            assert scores[metric].value is None
            continue
        sums = sum(record.numerator) / sum(record.denominator)
        assert sums == pytest.approx(scores[metric].value, abs=2e-6)
        assert len(record.numerator) == (len(gold) + 1) // 2


def texts(gold: np.ndarray) -> list[MultilabelText]:
    return [
        MultilabelText("x", None, "", str(n), labels=tuple(np.array(LABELS)[row]))
        for n, row in enumerate(gold)
    ]


def test_guessing_gives_all_texts_the_labels_that_score_best_on_train() -> None:
    asked = task("t", TaskKind.MULTILABEL)
    found = guessing(asked, LABELS, texts(GOLD), texts(GOLD))
    everywhere = np.tile([True, True, False], (4, 1))
    assert found[MetricName.MICRO_F1] == pytest.approx(f1_score(GOLD, everywhere, average="micro"))
    shares = np.array([3 / 6, 3 / 6, 1 / 6])
    loss = -np.where(GOLD, np.log(shares), np.log(1 - shares)).mean()
    assert found[MetricName.LOSS] == pytest.approx(loss)
    assert MetricName.MACRO_AUROC not in found  # no text has the third label
