"""What guessing gives on the test part: the score of a model that knows how often each class is, and no text.

It gives one answer to everything: no entity for ner, and else the commonest class of train (of equals the
first label), with the shares of train as its probabilities. A trained model that scores no better has learnt
nothing of use, and a trial that collapsed leaves its user with this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from workers.data.examples import Example, Text
from workers.metrics import score_sequences

_OF_MENTIONS = (MetricName.ENTITY_F1, MetricName.ENTITY_RECALL, MetricName.SUBWORD_F1)


def guessing(
    task: TaskSpec, labels: tuple[str, ...], train: Sequence[Example], test: Sequence[Example]
) -> dict[MetricName, float]:
    """Return the score on each metric that is defined, as it is read (the loss is one). A class that train
    lacks counts as seen once, as does each other one besides."""
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
    return {name: metric.value for name, metric in scores.items() if metric.value is not None} | loss


def _classes(examples: Sequence[Example]) -> list[str]:
    """Of each text its label, of each word its tag."""
    classes: list[str] = []
    for example in examples:
        classes.extend([example.label] if isinstance(example, Text) else example.tags)
    return classes
