"""What each document of a part adds to the score of a model: the base of paired comparisons.

For each document (or patient, or what else the examples of a reader share: `Example.group`) two numbers
leave the worker, and the score is sum(numerator) / sum(denominator):

F1          2 x correct, and found + wanted: mentions for ner, positive examples for relation. Exact.
precision   correct, and found; recall: correct, and wanted. Exact.
accuracy    correct, and examples; micro F1 of one class an example is the same. Exact.
macro F1    the value and the first-order effect of each example on it, summed, and examples: with S_c the
            found + wanted of class c, F_c its F1 and C classes, an example adds
            macro + n / C x sum over c of (2 x correct_c - F_c x (found_c + wanted_c)) / S_c.
weighted F1 likewise, of the classes' F1 and of their gold sizes; kappa likewise, of both of its agreements.
AUROC       likewise, of placement values: the share of the other side that an example is ranked above (or,
            of the other side, below), from which the area is made (DeLong, DeLong and Clarke-Pearson 1988).
multilabel  micro F1: 2 x correct, and found + wanted labels. Macro F1 and AUROC: likewise, label by label.
error       MAE: the error, and examples. RMSE and Pearson's correlation: the value and first-order effects,
            likewise.
loss        nothing: how sure a model was of each example stays here.

The score is that of the metric as `workers.metrics` defines it, to rounding. First-order effects are the
infinitesimal jackknife (Efron 1982): their variance over documents is that of the score over test sets.

What leaves. No text, no name, no class name, no logit, and not the order of the rows: documents are in the
order of a hash whose key is made of the whole test part (`workers.documents`). So all trials of a task share
an order that only who holds the corpus can make. With folds the order is that of the documents of all folds.
What can be read all the same:

- how many documents there are, and how many of them a model answered rightly;
- of macro F1, one value for each kind of (wanted, found) class: how large the classes are, and which kinds of
  mistake how often; of F1, how many mentions each document has; of AUROC, where the score of each document
  ranks, and of two classes in which of them it lies; of MAE and RMSE, by how much each answer is wrong;
- of folds, which documents are in one, and how often each class, or type of mention, was given, and rightly
  (`test_classes` of an outcome);
- across models of one task, which answers belong to one document, and so which documents are hard.

Who also holds the corpus can line all of it up with the documents, and read which ones a model got right.
Numbers of several examples of one document are summed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from orchestrator.contracts.examples import ScoredExamples, floats
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from workers.documents import Documents
from workers.metrics import Mentions
from workers.tasks import Encoded, predicted_values
from workers.thresholds import probabilities

Floats = NDArray[np.float64]
Parts = tuple[Floats, Floats]  # numerator and denominator of each example


_PRECISION = (MetricName.ENTITY_PRECISION, MetricName.POSITIVE_MICRO_PRECISION, MetricName.CLASS_PRECISION)
_RECALL = (MetricName.ENTITY_RECALL, MetricName.POSITIVE_MICRO_RECALL, MetricName.CLASS_RECALL)
_F1 = (
    MetricName.ENTITY_F1,
    MetricName.POSITIVE_MICRO_F1,
    MetricName.SUBWORD_F1,
    MetricName.CLASS_F1,
)


def scored_examples(
    task: TaskSpec,
    labels: tuple[str, ...],
    documents: Documents,
    data: Encoded,
    logits: Sequence[NDArray[np.floating[Any]]],
    threshold: float | None = None,
    mentions: Mentions | None = None,
) -> ScoredExamples | None:
    """`documents` are those of the examples of `data`, `logits` in their order. The `threshold` is that of a
    multilabel model, `mentions` are those that the metric of a ner task counts. Documents without an example
    here, those of other folds, add 0 to both numbers.

    None for the loss, and where the metric is missing.
    """
    if task.kind is TaskKind.NER:
        assert mentions is not None
        parts = _ratio(task.metric, *mentions.counts().T)
    elif task.kind is TaskKind.REGRESSION:
        parts = _of_values(task.metric, np.array(data.values), predicted_values(data, logits))
    elif task.kind is TaskKind.MULTILABEL:
        assert threshold is not None
        shares = probabilities(np.stack(logits))
        parts = _of_labels(task.metric, np.array(data.labels, dtype=bool), shares, threshold)
    else:
        parts = _of_classes(task, labels, np.array(data.labels), np.stack(logits).astype(np.float64))
    if parts is None or not parts[1].sum() > 0:
        return None
    numerator, denominator = (
        floats(np.bincount(documents.places, weights=part, minlength=documents.count)) for part in parts
    )
    return ScoredExamples(task.metric, documents.test_set, numerator, denominator, documents.unit)


def _ratio(metric: MetricName, correct: Floats, predicted: Floats, gold: Floats) -> Parts | None:
    if metric in _PRECISION:
        return correct, predicted
    if metric in _RECALL:
        return correct, gold
    if metric in _F1:
        return 2 * correct, predicted + gold
    return None


def _of_classes(
    task: TaskSpec, labels: tuple[str, ...], gold: NDArray[np.integer[Any]], logits: Floats
) -> Parts | None:
    predicted = logits.argmax(axis=-1)
    right = (gold == predicted).astype(np.float64)
    each = np.ones(len(gold))
    if task.metric in (MetricName.ACCURACY, MetricName.MICRO_F1, MetricName.MICRO_F1_WITH_NEGATIVE):
        return right, each
    if task.metric is MetricName.MACRO_F1:
        return _macro_f1(gold, predicted), each
    if task.metric is MetricName.WEIGHTED_F1:
        return _weighted_f1(gold, predicted), each
    if task.metric is MetricName.COHENS_KAPPA:
        agreement = _kappa(gold, predicted)
        return None if agreement is None else (agreement, each)
    if task.metric is MetricName.MACRO_AUROC:
        effects = _macro_auroc(gold, logits)
        return None if effects is None else (effects, each)
    is_positive = _positive(task, labels)
    gold_positive, predicted_positive = (is_positive[both].astype(np.float64) for both in (gold, predicted))
    return _ratio(task.metric, right * gold_positive, predicted_positive, gold_positive)


def _of_labels(metric: MetricName, gold: NDArray[np.bool_], shares: Floats, threshold: float) -> Parts | None:
    """Return the parts of each example; `gold` and `shares` are (examples, labels)."""
    predicted, each = shares >= threshold, np.ones(len(gold))
    if metric is MetricName.MICRO_F1:
        counts = (2.0 * (gold & predicted), gold.astype(np.float64) + predicted)
        return counts[0].sum(axis=1), counts[1].sum(axis=1)
    if metric is MetricName.MACRO_F1:
        occurs = (gold | predicted).any(axis=0)
        return (_mean_f1(gold[:, occurs], predicted[:, occurs]), each) if occurs.any() else None
    if metric is MetricName.MACRO_AUROC and not (gold.all(axis=0) | ~gold.any(axis=0)).any():
        areas = [_area(gold[:, index], shares[:, index]) for index in range(gold.shape[1])]
        return np.mean(areas, axis=0), each
    return None


def _of_values(metric: MetricName, gold: Floats, predicted: Floats) -> Parts | None:
    errors, each = predicted - gold, np.ones(len(gold))
    if metric is MetricName.MAE:
        return np.abs(errors), each
    if metric is MetricName.RMSE:
        mean = np.square(errors).mean()
        return (np.sqrt(mean) + (np.square(errors) - mean) / (2 * np.sqrt(mean) or 1.0)), each
    if metric is MetricName.PEARSON and np.ptp(gold) > 0 and np.ptp(predicted) > 0:
        left, right = ((part - part.mean()) / part.std() for part in (gold, predicted))
        correlation = (left * right).mean()
        return left * right + correlation * (1 - (np.square(left) + np.square(right)) / 2), each
    return None


def _positive(task: TaskSpec, labels: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return whether each class counts as positive: for a relation all but the negative one, else the one
    that the task names."""
    if task.kind is TaskKind.RELATION:
        return np.array([label != task.negative_label for label in labels])
    return np.array([label == task.positive_label for label in labels])


def _classes(
    gold: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether each example is of, and was taken for, each class that occurs: (examples, classes)."""
    classes = np.union1d(gold, predicted)
    return gold[:, None] == classes, predicted[:, None] == classes


def _macro_f1(gold: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]]) -> Floats:
    return _mean_f1(*_classes(gold, predicted))


def _mean_f1(is_gold: NDArray[np.bool_], is_predicted: NDArray[np.bool_]) -> Floats:
    correct, both = 2.0 * (is_gold & is_predicted), is_gold.astype(np.float64) + is_predicted
    sizes = both.sum(axis=0)
    scores = correct.sum(axis=0) / sizes
    effects: Floats = ((correct - scores * both) / sizes).sum(axis=1)
    values: Floats = scores.mean() + len(is_gold) / is_gold.shape[1] * effects
    return values


def _weighted_f1(gold: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]]) -> Floats:
    """F1 of each class, weighted by its share of the gold labels; the effect on both factors."""
    is_gold, is_predicted = _classes(gold, predicted)
    correct, both = 2.0 * (is_gold & is_predicted), is_gold.astype(np.float64) + is_predicted
    sizes, shares = both.sum(axis=0), is_gold.mean(axis=0)
    scores = correct.sum(axis=0) / sizes
    of_scores = (shares * len(gold) * (correct - scores * both) / sizes).sum(axis=1)
    of_shares = ((is_gold - shares) * scores).sum(axis=1)
    values: Floats = (shares * scores).sum() + of_scores + of_shares
    return values


def _kappa(gold: NDArray[np.integer[Any]], predicted: NDArray[np.integer[Any]]) -> Floats | None:
    """1 - (1 - observed) / (1 - expected) agreement; None where the expected one is full."""
    is_gold, is_predicted = _classes(gold, predicted)
    if is_gold.shape[1] < 2:
        return None
    gold_shares, predicted_shares = is_gold.mean(axis=0), is_predicted.mean(axis=0)
    observed, expected = float((gold == predicted).mean()), float(gold_shares @ predicted_shares)
    of_observed = (gold == predicted) - observed
    of_expected = is_gold @ predicted_shares + is_predicted @ gold_shares - 2 * expected
    kappa = 1 - (1 - observed) / (1 - expected)
    values: Floats = kappa + (of_observed - (1 - kappa) * of_expected) / (1 - expected)
    return values


def _macro_auroc(gold: NDArray[np.integer[Any]], logits: Floats) -> Floats | None:
    """Return None where a class has no example, or no other class has one."""
    shares = softmax(logits, axis=-1)
    effects = []
    for index in range(logits.shape[1]):
        there = gold == index
        if there.all() or not there.any():
            return None
        effects.append(_area(there, shares[:, index]))
    return np.mean(effects, axis=0) if len(effects) > 1 else None


def ranks(score: Floats) -> Floats:
    """Return the rank of each, from 1; equal ones share the mean of theirs. As `scipy.stats.rankdata`, but
    scipy.stats takes long to import, and every warm template would."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    last = count.cumsum()
    found: Floats = (last - (count - 1) / 2)[place]
    return found


def _area(there: NDArray[np.bool_], score: Floats) -> Floats:
    """Return the area under the curve and the first-order effect of each example on it. Ties count one
    half."""
    placement = np.empty(len(score))
    among_all = ranks(score)
    for side, sign in ((there, 1), (~there, -1)):
        within = ranks(score[side])
        above = (among_all[side] - within) / (~side).sum()
        placement[side] = above if sign > 0 else 1 - above
    area = placement[there].mean()
    weight = np.where(there, len(score) / there.sum(), len(score) / (~there).sum())
    effects: Floats = area + weight * (placement - area)
    return effects
