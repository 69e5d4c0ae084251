"""The scores of several folds as the score of all their examples.

Macro, micro and weighted F1 and Cohen's kappa are computed from the answers of all folds by class, precision,
recall and F1 of mentions or of positive classes from those of these together: means over the folds are off,
because a class has few examples in a fold, and would not fit together. RMSE is the root of the mean square.
Of sub-word tags no fold tells enough, so their F1 is left out beside another score. The others are means of
the folds' scores, by examples, which for accuracy and MAE is the score of all answers as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.outcome import ClassAnswers
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.report.results.result import Result


def scored_answers(task: TaskSpec, classes: Mapping[str, ClassAnswers]) -> ClassAnswers | None:
    """Return the answers to the classes that precision, recall and F1 of a task are about: its positive
    class or classes, or any mention. None where it has none, or no answers are known."""
    counted = [answers for label, answers in classes.items() if _is_positive(task, label)]
    return _total(counted) if counted else None


def _is_positive(task: TaskSpec, label: str) -> bool:
    if task.kind is TaskKind.CLASSIFICATION:
        return label == task.positive_label
    return label != task.negative_label


def pooled_metrics(folds: Sequence[Result], examples: Sequence[int]) -> dict[MetricName, float]:
    """Return the metrics that all folds have, or whose answers by class all of them have. `examples`: of each
    fold."""
    names = set.intersection(*(set(fold.metrics) for fold in folds))
    names -= {MetricName.SUBWORD_F1} - {folds[0].metric}
    scores = {
        name: float(np.average([fold.metrics[name] for fold in folds], weights=examples)) for name in names
    }
    if MetricName.RMSE in scores:
        squares = [fold.metrics[MetricName.RMSE] ** 2 for fold in folds]
        scores[MetricName.RMSE] = math.sqrt(float(np.average(squares, weights=examples)))
    pooled: dict[MetricName, float | None] = {}
    if all(fold.class_answers for fold in folds):
        classes = _summed([fold.class_answers for fold in folds])
        pooled |= {name: of_classes(classes) for name, of_classes in _BY_CLASS.items()}
    answers = [fold.scored_answers for fold in folds if fold.scored_answers is not None]
    if len(answers) == len(folds):
        pooled_answers = _total(answers)
        pooled |= {name: of_answers(pooled_answers) for name, of_answers in _OF_ANSWERS.items()}
    measured = {name for fold in folds for name in fold.metrics}
    return scores | {n: score for n, score in pooled.items() if n in measured and score is not None}


def _summed(folds: Sequence[Mapping[str, ClassAnswers]]) -> list[ClassAnswers]:
    """Return the answers to each class that occurs in the examples or in an answer."""
    labels = sorted({label for fold in folds for label in fold})
    sums = [_total(fold[label] for fold in folds if label in fold) for label in labels]
    return [answers for answers in sums if answers.given + answers.examples]


def _total(several: Iterable[ClassAnswers]) -> ClassAnswers:
    parts = [(answers.right, answers.given, answers.examples) for answers in several]
    right, given, examples = map(sum, zip(*parts, strict=True))
    return ClassAnswers(right=right, given=given, examples=examples)


def _precision(answers: ClassAnswers) -> float | None:
    return answers.right / answers.given if answers.given else None


def _recall(answers: ClassAnswers) -> float | None:
    return answers.right / answers.examples if answers.examples else None


def _f1_of(answers: ClassAnswers) -> float | None:
    return _f1(answers) if answers.given + answers.examples else None


def _f1(answers: ClassAnswers) -> float:
    return 2 * answers.right / (answers.given + answers.examples)


def _macro_f1(classes: Sequence[ClassAnswers]) -> float | None:
    return math.fsum(map(_f1, classes)) / len(classes) if classes else None


def _micro_f1(classes: Sequence[ClassAnswers]) -> float | None:
    return _f1(_total(classes)) if classes else None


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
    MetricName.MICRO_F1: _micro_f1,
    MetricName.WEIGHTED_F1: _weighted_f1,
    MetricName.COHENS_KAPPA: _kappa,
}
_OF_ANSWERS: dict[MetricName, Callable[[ClassAnswers], float | None]] = {
    MetricName.ENTITY_PRECISION: _precision,
    MetricName.ENTITY_RECALL: _recall,
    MetricName.ENTITY_F1: _f1_of,
    MetricName.POSITIVE_MICRO_PRECISION: _precision,
    MetricName.POSITIVE_MICRO_RECALL: _recall,
    MetricName.POSITIVE_MICRO_F1: _f1_of,
    MetricName.CLASS_PRECISION: _precision,
    MetricName.CLASS_RECALL: _recall,
    MetricName.CLASS_F1: _f1_of,
}
# Of models that answer on scales of their own, no score of all answers together.
MEANS = (MetricName.MACRO_AUROC, MetricName.PEARSON, MetricName.LOSS)
COMPUTED = (*_BY_CLASS, MetricName.RMSE)  # otherwise than as a mean of the folds' scores
