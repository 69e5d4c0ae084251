"""The scores of several folds as the score of all their examples.

Macro F1, weighted F1 and Cohen's kappa are computed from the answers of all folds by class: their means over
the folds are too low, because a class has few examples in a fold. RMSE is the root of the mean square. The
others are means of the folds' scores, by examples, which for accuracy, micro F1 of one class an example and
MAE is the score of all answers as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.outcome import ClassAnswers
from orchestrator.report.results.result import Result


def pooled_metrics(folds: Sequence[Result], examples: Sequence[int]) -> dict[MetricName, float]:
    """Return the metrics that all folds have, or whose answers by class all of them have. `examples`: of each
    fold."""
    names = set.intersection(*(set(fold.metrics) for fold in folds))
    scores = {
        name: float(np.average([fold.metrics[name] for fold in folds], weights=examples)) for name in names
    }
    if MetricName.RMSE in scores:
        squares = [fold.metrics[MetricName.RMSE] ** 2 for fold in folds]
        scores[MetricName.RMSE] = math.sqrt(float(np.average(squares, weights=examples)))
    if all(fold.class_answers for fold in folds):
        classes = _summed([fold.class_answers for fold in folds])
        for name, of_classes in _BY_CLASS.items():
            measured = any(name in fold.metrics for fold in folds)
            if measured and (score := of_classes(classes)) is not None:
                scores[name] = score
    return scores


def _summed(folds: Sequence[Mapping[str, ClassAnswers]]) -> list[ClassAnswers]:
    """Return the answers to each class that occurs in the examples or in an answer."""
    sums = {}
    for label in {label for fold in folds for label in fold}:
        of_label = [fold[label] for fold in folds if label in fold]
        sums[label] = ClassAnswers(
            right=sum(answers.right for answers in of_label),
            given=sum(answers.given for answers in of_label),
            examples=sum(answers.examples for answers in of_label),
        )
    return [sums[label] for label in sorted(sums) if sums[label].given + sums[label].examples]


def _f1(answers: ClassAnswers) -> float:
    return 2 * answers.right / (answers.given + answers.examples)


def _macro_f1(classes: Sequence[ClassAnswers]) -> float | None:
    return math.fsum(map(_f1, classes)) / len(classes) if classes else None


def _weighted_f1(classes: Sequence[ClassAnswers]) -> float | None:
    total = sum(answers.examples for answers in classes)
    return math.fsum(answers.examples * _f1(answers) for answers in classes) / total if total else None


def _kappa(classes: Sequence[ClassAnswers]) -> float | None:
    total = sum(answers.examples for answers in classes)
    if len(classes) < 2 or not total:
        return None
    observed = sum(answers.right for answers in classes) / total
    expected = sum(answers.given * answers.examples for answers in classes) / total**2
    return 1 - (1 - observed) / (1 - expected)


_BY_CLASS: dict[MetricName, Callable[[Sequence[ClassAnswers]], float | None]] = {
    MetricName.MACRO_F1: _macro_f1,
    MetricName.WEIGHTED_F1: _weighted_f1,
    MetricName.COHENS_KAPPA: _kappa,
}
# Of models that answer on scales of their own, no score of all answers together.
MEANS = (MetricName.MACRO_AUROC, MetricName.PEARSON, MetricName.LOSS)
COMPUTED = (*_BY_CLASS, MetricName.RMSE)  # otherwise than as a mean of the folds' scores
