"""What guessing gives on the test part: the score of a model that knows how often each class is, and no text.

It gives one answer to everything: no entity for ner; for multilabel the labels that score best on train when
all texts get them; for regression the median of train where the metric is MAE, else its mean; and else the
commonest class of train (of equals the first label), with the shares of train as its probabilities. A trained
model that scores no better has learnt nothing of use, and a trial that collapsed leaves its user with this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.contracts.metrics import MetricName, Metrics
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from workers.data.examples import Example, RegressionText, Text
from workers.metrics import score_labels, score_sequences, score_values
from workers.tasks import given_labels
from workers.thresholds import best_threshold

_OF_MENTIONS = (MetricName.ENTITY_F1, MetricName.ENTITY_RECALL, MetricName.SUBWORD_F1)


def guessing(
    task: TaskSpec, labels: tuple[str, ...], train: Sequence[Example], test: Sequence[Example]
) -> dict[MetricName, float]:
    """Return the score on each metric that is defined, as it is read (the loss is one). A class that train
    lacks counts as seen once, as does each other one besides."""
    if task.kind is TaskKind.REGRESSION:
        return _same_number(task.metric, _values(train), _values(test))
    if task.kind is TaskKind.MULTILABEL:
        return _same_labels(task.metric, given_labels(train, labels), given_labels(test, labels))
    train_classes, test_classes = _classes(train), _classes(test)
    if not test_classes:
        return {}
    counts = Counter(train_classes)
    shares = np.array([counts[label] + 1.0 for label in labels])
    logits = np.log(shares / shares.sum())
    id_of = {label: index for index, label in enumerate(labels)}
    gold = np.array([id_of[label] for label in test_classes])
    loss = {MetricName.LOSS: float(-logits[gold].mean())}
    if task.kind is TaskKind.NER:
        return dict.fromkeys(_OF_MENTIONS, 0.0) | loss
    answers = np.broadcast_to(logits, (len(gold), len(labels)))
    scores = score_sequences(
        task.kind, labels, task.negative_label, gold, answers, positive_label=task.positive_label
    )
    return _defined(scores) | loss


def _defined(scores: Metrics) -> dict[MetricName, float]:
    return {name: metric.value for name, metric in scores.items() if metric.value is not None}


def _same_labels(
    metric: MetricName, train: NDArray[np.bool_], test: NDArray[np.bool_]
) -> dict[MetricName, float]:
    """Return the scores of one set of labels for all texts. `train` and `test`: (examples, labels)."""
    if not len(test):
        return {}
    shares = (train.sum(axis=0) + 1.0) / (len(train) + 2.0)
    threshold = best_threshold(metric, train, np.broadcast_to(shares, train.shape))
    answers = np.broadcast_to(shares, test.shape)
    loss = -np.where(test, np.log(answers), np.log1p(-answers)).mean()
    scores = score_labels(test, answers >= threshold, answers)
    return _defined(scores) | {MetricName.LOSS: float(loss)}


def _values(examples: Sequence[Example]) -> NDArray[np.float64]:
    return np.array([example.value for example in examples if isinstance(example, RegressionText)])


def _same_number(
    metric: MetricName, train: NDArray[np.float64], test: NDArray[np.float64]
) -> dict[MetricName, float]:
    """Return the scores of one number for all texts."""
    if not len(test):
        return {}
    answer = np.median(train) if metric is MetricName.MAE else train.mean()
    scores = score_values(test, np.full(len(test), answer))
    loss = np.square((test - answer) / train.std()).mean()
    return _defined(scores) | {MetricName.LOSS: float(loss)}


def _classes(examples: Sequence[Example]) -> list[str]:
    """Of each text its label, of each word its tag."""
    classes: list[str] = []
    for example in examples:
        classes.extend([example.label] if isinstance(example, Text) else example.tags)
    return classes
