"""Scores against cases worked out by hand, and against seqeval where it agrees by definition."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score as seqeval_f1
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, precision_score, recall_score

from orchestrator.contracts.metrics import METRICS, MetricName, Metrics
from orchestrator.contracts.vocabulary import TaskKind
from workers.metrics import mentions_of_words, score_mentions, score_sequences

pytestmark = pytest.mark.filterwarnings("error")


def entity(metrics: Metrics) -> tuple[float | None, float | None, float | None]:
    names = MetricName.ENTITY_PRECISION, MetricName.ENTITY_RECALL, MetricName.ENTITY_F1
    return tuple(metrics[name].value for name in names)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("B-x I-x O B-y", "B-x I-x O B-y", (1, 1, 1)),
        ("B-x I-x O B-y", "B-x O O B-y", (0.5, 0.5, 0.5)),  # a shorter span is another span
        ("B-x I-x", "B-y I-y", (0, 0, 0)),  # right place, wrong type
        ("B-x I-x", "B-x I-y", (0, 0, 0)),  # I-y continues nothing, so B-x ends one word early
        ("B-x O", "B-x I-y", (1, 1, 1)),  # and is no entity of its own
        ("B-x O O", "B-x O I-x", (1, 1, 1)),  # an I- that follows O is no entity
        ("B-x I-x", "I-x I-x", (None, 0, 0)),
        ("B-x B-x", "B-x I-x", (0, 0, 0)),  # two entities are not one of two words
        ("O O", "B-x O", (0, None, 0)),
        ("B-x O", "O O", (None, 0, 0)),
        ("O O", "O O", (None, None, None)),
        ("B-x-y I-x-y", "B-x-y I-x-y", (1, 1, 1)),  # a hyphen in the type
    ],
)
def test_strict_spans(gold: str, predicted: str, expected: tuple[float | None, ...]) -> None:
    assert entity(score_mentions(mentions_of_words([gold.split()], [predicted.split()]))) == expected


def test_spans_are_counted_over_all_sentences_and_never_across_them() -> None:
    mentions = mentions_of_words([["B-x"], ["B-x", "O"]], [["B-x"], ["I-x", "B-x"]])
    assert entity(score_mentions(mentions)) == (0.5, 0.5, 0.5)


SENTENCES = st.lists(
    st.lists(st.sampled_from(["O", "B-x", "I-x", "B-y", "I-y"]), min_size=1, max_size=8), min_size=1
)


@given(SENTENCES, st.randoms(use_true_random=False))
def test_f1_is_that_of_seqeval_in_strict_mode(gold: list[list[str]], source: object) -> None:
    predicted = [[source.choice(["O", "B-x", "I-x", tag]) for tag in tags] for tags in gold]  # type: ignore[attr-defined]
    found = score_mentions(mentions_of_words(gold, predicted))[MetricName.ENTITY_F1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = seqeval_f1(gold, predicted, mode="strict", scheme=IOB2, zero_division=0)
    assert (found.value or 0) == pytest.approx(theirs)


def one_hot(predicted: list[int], classes: int) -> np.ndarray:
    return np.eye(classes)[predicted] * 4


def values(metrics: Metrics) -> dict[str, float | None]:
    return {name.value: found.value for name, found in metrics.items()}


def test_relations_count_the_negative_class_only_where_the_name_says_so() -> None:
    # Gold a a b none none; predicted a b none none a: 1 of 3 found, 1 of 3 predictions right; 2 of 5 in all.
    gold, predicted = [0, 0, 2, 1, 1], [0, 2, 1, 1, 0]
    metrics = score_sequences(
        TaskKind.RELATION, ("a", "none", "b"), "none", np.array(gold), one_hot(predicted, 3)
    )
    assert values(metrics) == pytest.approx(
        {
            "positive_micro_precision": 1 / 3,
            "positive_micro_recall": 1 / 3,
            "positive_micro_f1": 1 / 3,
            "micro_f1_with_negative": 2 / 5,
            # Pairs of a member and another, ties one half: a 3.5 of 6, none 3.5 of 6, b 1.5 of 4.
            "macro_auroc": (7 / 12 + 7 / 12 + 3 / 8) / 3,
        }
    )


def test_predicting_no_relation_at_all_is_recall_0_and_no_precision() -> None:
    metrics = score_sequences(TaskKind.RELATION, ("none", "a"), "none", np.array([0, 1]), one_hot([0, 0], 2))
    assert metrics[MetricName.POSITIVE_MICRO_PRECISION].missing == "nothing was predicted"
    assert metrics[MetricName.POSITIVE_MICRO_RECALL].value == 0
    assert metrics[MetricName.POSITIVE_MICRO_F1].value == 0


def test_classification_by_hand() -> None:
    # F1: class 0 is 2/3 (1 right, 1 missed), class 1 is 1/2, class 2 is 0 (never predicted).
    gold = np.array([0, 0, 1, 2])
    logits = np.array([[3.0, 0, 0], [0, 2, 0], [1, 2, 0], [0, 4, 3]])
    metrics = values(score_sequences(TaskKind.CLASSIFICATION, ("a", "b", "c"), None, gold, logits))
    assert metrics["accuracy"] == metrics["micro_f1"] == 0.5
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    # Class 0 ranks 3 of 4 pairs right, class 1 only 1 of 3, class 2 all 3.
    assert metrics["macro_auroc"] == pytest.approx((3 / 4 + 1 / 3 + 1) / 3)


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_scores_of_classes_are_those_of_scikit_learn(seed: int, classes: int) -> None:
    source = np.random.default_rng(seed)
    gold, predicted = source.integers(0, classes, (2, 12))
    gold[:2], predicted[:2] = (0, 1), (1, 1)
    labels = [str(index) for index in range(classes)]
    scores = score_sequences(
        TaskKind.CLASSIFICATION, labels, None, gold, one_hot(list(predicted), classes), positive_label="1"
    )
    of_one = {"labels": [1], "average": None}
    assert values(scores) == pytest.approx(
        values(scores)
        | {
            "weighted_f1": f1_score(gold, predicted, average="weighted"),
            "cohens_kappa": cohen_kappa_score(gold, predicted),
            "class_f1": f1_score(gold, predicted, **of_one)[0],
            "class_precision": precision_score(gold, predicted, **of_one)[0],
            "class_recall": recall_score(gold, predicted, **of_one)[0],
        }
    )


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(1, 300))
def test_f1_and_accuracy_are_those_of_scikit_learn_bit_for_bit(seed: int, classes: int, rows: int) -> None:
    source = np.random.default_rng(seed)
    gold, predicted = source.integers(0, classes, (2, rows))
    labels, answers = [str(index) for index in range(classes)], one_hot(list(predicted), classes)
    scores = values(score_sequences(TaskKind.CLASSIFICATION, labels, None, gold, answers))
    relations = values(score_sequences(TaskKind.RELATION, labels, "0", gold, answers))
    for average in ("macro", "micro", "weighted"):
        assert scores[f"{average}_f1"] == f1_score(gold, predicted, average=average)
    assert scores["accuracy"] == accuracy_score(gold, predicted)
    assert relations["micro_f1_with_negative"] == f1_score(gold, predicted, average="micro")


def test_agreement_on_one_class_has_no_kappa() -> None:
    metrics = score_sequences(TaskKind.CLASSIFICATION, ("a", "b"), None, np.array([0, 0]), one_hot([0, 0], 2))
    assert "one class" in str(metrics[MetricName.COHENS_KAPPA].missing)


def test_a_class_that_is_never_predicted_has_recall_0_and_no_precision() -> None:
    metrics = score_sequences(
        TaskKind.CLASSIFICATION, ("a", "b"), None, np.array([0, 1]), one_hot([0, 0], 2), positive_label="b"
    )
    assert metrics[MetricName.CLASS_RECALL].value == 0
    assert metrics[MetricName.CLASS_PRECISION].missing == "nothing was predicted"


def _auroc_by_pairs(gold: np.ndarray, logits: np.ndarray) -> float:
    """The share of (member, other) pairs that the softmax ranks right, averaged over classes."""
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    areas = []
    for index in range(logits.shape[1]):
        members, others = shares[gold == index, index], shares[gold != index, index]
        areas.append(np.mean([m > o for m in members for o in others]))
    return float(np.mean(areas))


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_auroc_is_the_share_of_pairs_ranked_right(seed: int, classes: int) -> None:
    source = np.random.default_rng(seed)
    gold = np.concatenate([np.arange(classes), source.integers(0, classes, 8)])
    logits = source.normal(size=(len(gold), classes)).astype(np.float32)
    labels = [str(index) for index in range(classes)]
    found = score_sequences(TaskKind.CLASSIFICATION, labels, None, gold, logits)[MetricName.MACRO_AUROC]
    assert found.value == pytest.approx(_auroc_by_pairs(gold, logits))


def test_a_class_without_gold_examples_leaves_auroc_missing_and_says_why() -> None:
    metrics = score_sequences(
        TaskKind.CLASSIFICATION, ("a", "b", "c"), None, np.array([0, 1]), one_hot([0, 1], 3)
    )
    assert metrics[MetricName.MACRO_AUROC].value is None
    assert metrics[MetricName.MACRO_AUROC].missing == "1 of the 3 classes have no gold example"
    assert metrics[MetricName.MACRO_F1].value == 1  # over the classes that occur


def test_output_that_is_not_finite_leaves_auroc_missing() -> None:
    logits = np.array([[0.0, np.nan], [1.0, 0.0]])
    metrics = score_sequences(TaskKind.CLASSIFICATION, ("a", "b"), None, np.array([0, 1]), logits)
    assert metrics[MetricName.MACRO_AUROC].missing == "the model's output is not finite"


@pytest.mark.parametrize("kind", [TaskKind.RELATION, TaskKind.CLASSIFICATION])
def test_each_kind_reports_exactly_its_own_metrics(kind: TaskKind) -> None:
    negative, positive = ("a", None) if kind is TaskKind.RELATION else (None, "b")
    answers = np.array([0, 1]), one_hot([0, 1], 2)
    found = set(score_sequences(kind, ("a", "b"), negative, *answers, positive_label=positive))
    assert found == {name for name, info in METRICS.items() if kind in info.kinds} - {MetricName.LOSS}
