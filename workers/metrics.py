"""Scores of predictions. A figure that is not defined is missing with its reason, never 0.

ner: spans of words, strict BIO (IOB2): an entity begins with B-, and counts as found when its type, its first
and its last word agree (the strict mode of seqeval). relation: micro figures over the classes other than the
negative one, and apart from them with it; areas as for classification, the negative class one of them,
as the study tables them. classification: macro-F1 over the classes that occur in the gold or
predicted labels (as in scikit-learn), the same weighted by the gold size of the classes, micro-F1, accuracy,
Cohen's kappa, and the mean of the one-versus-rest areas under the ROC curve; precision, recall and F1 of the
positive class, where the task names one. multilabel: micro F1 over all pairs of an example and a label, the
mean F1 of the labels that occur in the gold or predicted ones, and the mean of the areas of the labels.
regression: mean absolute and root mean squared error in the unit of the target, and Pearson's correlation.

Beside these, for ner, the score of Taylor et al. 2024: spans of sub-words that each repeat the tag of their
word, in the lenient mode of seqeval. "B-x B-x" on the sub-words of one word counts as two entities there: the
score depends on the tokenizer and is not comparable between vocabularies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, Entities
from sklearn.metrics import cohen_kappa_score, precision_recall_fscore_support, roc_auc_score

from orchestrator.contracts.metrics import MetricName, Metrics, MetricValue
from orchestrator.contracts.outcome import ClassAnswers
from orchestrator.contracts.vocabulary import TaskKind

VERSION = "2"  # part of the fingerprint: raise it whenever a definition here changes


Tags = Sequence[Sequence[str]]  # of each sentence one per word, or per sub-word
Entity = tuple[Any, ...]  # its type, first and last place among them


@dataclass(frozen=True, repr=False)
class Mentions:
    """The entities of tagged sentences, a set per sentence: found once, and counted in several ways."""

    gold: list[set[Entity]]
    predicted: list[set[Entity]]

    def counts(self) -> NDArray[np.float64]:
        """Return how many are in both, how many were predicted and how many are gold: (sentences, 3)."""
        pairs = zip(self.gold, self.predicted, strict=True)
        counts = [[len(gold & predicted), len(predicted), len(gold)] for gold, predicted in pairs]
        return np.array(counts, dtype=np.float64).reshape(-1, 3)


def mentions_of_words(gold: Tags, predicted: Tags) -> Mentions:
    """Return the entities of strict BIO tags; both have one tag per word."""
    return Mentions(*(_strict_entities(tags) for tags in (gold, predicted)))


def mentions_of_subwords(gold: Tags, predicted: Tags) -> Mentions:
    """Return the entities that seqeval finds without a scheme; both have one tag per sub-word."""
    return Mentions(*([set(get_entities(list(tags))) for tags in both] for both in (gold, predicted)))


def score_mentions(mentions: Mentions) -> Metrics:
    """Return entity precision, recall and F1 of words."""
    names = MetricName.ENTITY_PRECISION, MetricName.ENTITY_RECALL, MetricName.ENTITY_F1
    return dict(zip(names, _scores_of(mentions), strict=True))


def score_subwords(mentions: Mentions) -> Metrics:
    """Return micro F1 over tags of sub-words, as seqeval's `f1_score` without a scheme gives it."""
    return {MetricName.SUBWORD_F1: _scores_of(mentions)[2]}


def score_sequences(
    kind: TaskKind,
    labels: Sequence[str],
    negative_label: str | None,
    gold: NDArray[np.integer[Any]],
    logits: NDArray[np.floating[Any]],
    *,
    positive_label: str | None = None,
) -> Metrics:
    """Return the scores of one class per example. `gold`: [n] indices into `labels`. `logits`: [n,
    len(labels)]."""
    predicted = logits.argmax(axis=-1)
    if kind is TaskKind.RELATION:
        if negative_label is None:
            raise ValueError("a relation task has a negative label")
        scores = _score_relations(labels, negative_label, gold, predicted)
        return scores | {MetricName.MACRO_AUROC: _macro_auroc(labels, gold, logits)}
    *_, f1_of_classes, sizes = precision_recall_fscore_support(gold, predicted, zero_division=0.0)
    accuracy = MetricValue(value=float((gold == predicted).mean()))
    return {
        MetricName.MACRO_F1: MetricValue(value=float(np.mean(f1_of_classes))),
        MetricName.MICRO_F1: accuracy,  # with one class per example they are the same
        MetricName.ACCURACY: accuracy,
        MetricName.WEIGHTED_F1: MetricValue(value=float(np.average(f1_of_classes, weights=sizes))),
        MetricName.COHENS_KAPPA: _kappa(gold, predicted),
        MetricName.MACRO_AUROC: _macro_auroc(labels, gold, logits),
        **_of_one_class(labels, positive_label, gold, predicted),
    }


def score_labels(
    gold: NDArray[np.bool_], predicted: NDArray[np.bool_], shares: NDArray[np.float64]
) -> Metrics:
    """Return the scores of any number of labels per example. All: (examples, labels); `shares` are
    probabilities."""
    correct, sizes = (gold & predicted).sum(axis=0), gold.sum(axis=0) + predicted.sum(axis=0)
    micro = _precision_recall_f1(int(correct.sum()), int(predicted.sum()), int(gold.sum()))[2]
    macro, occurs = micro, sizes > 0
    if occurs.any():
        macro = MetricValue(value=float(np.mean(2 * correct[occurs] / sizes[occurs])))
    return {
        MetricName.MICRO_F1: micro,
        MetricName.MACRO_F1: macro,
        MetricName.MACRO_AUROC: _auroc_of_labels(gold, shares),
    }


def score_values(gold: NDArray[np.float64], predicted: NDArray[np.float64]) -> Metrics:
    """Return the scores of predicted numbers. Both: (examples,), in the unit of the target."""
    errors = predicted - gold
    correlation = MetricValue(missing="the numbers, or the predicted ones, are all alike")
    if np.ptp(gold) > 0 and np.ptp(predicted) > 0:
        correlation = MetricValue(value=float(np.corrcoef(gold, predicted)[0, 1]))
    return {
        MetricName.MAE: MetricValue(value=float(np.abs(errors).mean())),
        MetricName.RMSE: MetricValue(value=float(np.sqrt(np.square(errors).mean()))),
        MetricName.PEARSON: correlation,
    }


def class_answers(
    labels: Sequence[str], gold: NDArray[np.bool_], predicted: NDArray[np.bool_]
) -> dict[str, ClassAnswers]:
    """Count the answers by class or label. Both: (examples, labels)."""
    counts = zip(*((part.sum(axis=0).tolist()) for part in (gold & predicted, predicted, gold)), strict=True)
    return {
        label: ClassAnswers(right=right, given=given, examples=examples)
        for label, (right, given, examples) in zip(labels, counts, strict=True)
    }


def mention_answers(labels: Sequence[str], mentions: Mentions) -> dict[str, ClassAnswers]:
    """Count the mentions of words by type, those that have none as well. `labels`: `B-x` of each type."""
    right, given, wanted = Counter[str](), Counter[str](), Counter[str]()
    for gold, predicted in zip(mentions.gold, mentions.predicted, strict=True):
        for counted, entities in ((right, gold & predicted), (given, predicted), (wanted, gold)):
            counted.update(entity[0] for entity in entities)
    types = sorted(label.removeprefix("B-") for label in labels if label.startswith("B-"))
    return {of: ClassAnswers(right=right[of], given=given[of], examples=wanted[of]) for of in types}


def _strict_entities(sequences: Tags) -> list[set[Entity]]:
    parsed = Entities([list(tags) for tags in sequences], IOB2)
    return [{entity.to_tuple()[1:] for entity in entities} for entities in parsed.entities]


def _scores_of(mentions: Mentions) -> tuple[MetricValue, ...]:
    correct, predicted, gold = mentions.counts().sum(axis=0)
    return _precision_recall_f1(int(correct), int(predicted), int(gold))


def _score_relations(
    labels: Sequence[str],
    negative_label: str,
    gold: NDArray[np.integer[Any]],
    predicted: NDArray[np.integer[Any]],
) -> Metrics:
    # A task whose data hold no negative example has no such class.
    positive = np.array([label != negative_label for label in labels])
    names = (
        MetricName.POSITIVE_MICRO_PRECISION,
        MetricName.POSITIVE_MICRO_RECALL,
        MetricName.POSITIVE_MICRO_F1,
    )
    return dict(zip(names, _of_positive(positive, gold, predicted), strict=True)) | {
        MetricName.MICRO_F1_WITH_NEGATIVE: MetricValue(value=float((gold == predicted).mean())),
    }


def _of_one_class(
    labels: Sequence[str],
    positive_label: str | None,
    gold: NDArray[np.integer[Any]],
    predicted: NDArray[np.integer[Any]],
) -> Metrics:
    """Return precision, recall and F1 of the class `positive_label`; nothing where the task names none."""
    if positive_label is None:
        return {}
    positive = np.array([label == positive_label for label in labels])
    names = MetricName.CLASS_PRECISION, MetricName.CLASS_RECALL, MetricName.CLASS_F1
    return dict(zip(names, _of_positive(positive, gold, predicted), strict=True))


def _of_positive(
    positive: NDArray[np.bool_], gold: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]]
) -> tuple[MetricValue, ...]:
    """Return precision, recall and F1 over the classes that are `positive`, (classes,), together."""
    correct = int(((gold == predicted) & positive[gold]).sum())
    return _precision_recall_f1(correct, int(positive[predicted].sum()), int(positive[gold].sum()))


def _kappa(gold: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]]) -> MetricValue:
    if len(np.union1d(gold, predicted)) < 2:
        return MetricValue(missing="gold and predictions are one class, on which they agree by chance")
    return MetricValue(value=float(cohen_kappa_score(gold, predicted)))


def _precision_recall_f1(correct: int, predicted: int, gold: int) -> tuple[MetricValue, ...]:
    return (
        MetricValue(value=correct / predicted) if predicted else MetricValue(missing="nothing was predicted"),
        MetricValue(value=correct / gold) if gold else MetricValue(missing="there is nothing to find"),
        MetricValue(value=2 * correct / (predicted + gold))
        if predicted + gold
        else MetricValue(missing="there is nothing to find and nothing was predicted"),
    )


def _macro_auroc(
    labels: Sequence[str], gold: NDArray[np.integer[Any]], logits: NDArray[np.floating[Any]]
) -> MetricValue:
    """Return the mean over classes of the area under the ROC curve of softmax(logits), class versus rest."""
    absent = sum(not (gold == index).any() for index in range(len(labels)))
    if absent:
        return MetricValue(missing=f"{absent} of the {len(labels)} classes have no gold example")
    if len(labels) < 2:
        return MetricValue(missing="there is one class only")
    if not np.isfinite(logits).all():
        return MetricValue(missing="the model's output is not finite")
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    shares = shifted / shifted.sum(axis=-1, keepdims=True)
    return _mean_area(gold[:, None] == np.arange(len(labels)), shares)


def _auroc_of_labels(gold: NDArray[np.bool_], shares: NDArray[np.float64]) -> MetricValue:
    """Return the mean over labels of the area under the ROC curve of its probabilities."""
    one_sided = int((gold.all(axis=0) | ~gold.any(axis=0)).sum())
    if one_sided:
        return MetricValue(
            missing=f"{one_sided} of the {gold.shape[1]} labels have no example, or no other one"
        )
    return _mean_area(gold, shares)


def _mean_area(gold: NDArray[np.bool_], shares: NDArray[np.float64]) -> MetricValue:
    """Both: (examples, classes or labels)."""
    areas = [roc_auc_score(gold[:, index], shares[:, index]) for index in range(gold.shape[1])]
    return MetricValue(value=float(np.mean(areas)))
