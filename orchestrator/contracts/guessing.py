"""Guessing: one answer to everything, the floor of all scores, in words and by class sizes alone.

Where the answer is one class, its scores follow from the share p of that class among the examples: accuracy
and micro F1 are p, the F1 of the class is 2p / (1 + p), and that of each other class is 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.vocabulary import TaskKind

ONE_CLASS = (TaskKind.CLASSIFICATION, TaskKind.RELATION)  # whose scores class sizes give
_SHARES = (MetricName.ACCURACY, MetricName.MICRO_F1, MetricName.MICRO_F1_WITH_NEGATIVE)
_ANSWERS = {
    TaskKind.NER: "no entity anywhere",
    TaskKind.MULTILABEL: "the same labels for every text, those that score best on train",
    TaskKind.REGRESSION: "always the same number, that of train",
}


def answer_to_all(kind: TaskKind) -> str:
    """Say what guessing is on a task of this kind."""
    return _ANSWERS.get(kind, "always the commonest class of train")


def one_class_score(metric: MetricName, given: str, sizes: Mapping[str, int]) -> float | None:
    """Return the score of the class `given` for all examples, of which there are `sizes` of each class. None
    for metrics that sizes do not give. The mean of macro F1 is over the classes that occur or are given."""
    share = sizes[given] / sum(sizes.values())
    f1 = 2 * share / (1 + share)
    if metric is MetricName.MACRO_F1:
        return f1 / len({given, *(name for name, size in sizes.items() if size)})
    if metric is MetricName.WEIGHTED_F1:
        return f1 * share
    return share if metric in _SHARES else None
