"""Metric names: unit, direction, and the kinds of task that report them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import model_validator

from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import TaskKind


class MetricName(StrEnum):
    ENTITY_F1 = "entity_f1"
    ENTITY_PRECISION = "entity_precision"
    ENTITY_RECALL = "entity_recall"
    SUBWORD_F1 = "subword_f1"
    POSITIVE_MICRO_F1 = "positive_micro_f1"
    POSITIVE_MICRO_PRECISION = "positive_micro_precision"
    POSITIVE_MICRO_RECALL = "positive_micro_recall"
    MICRO_F1_WITH_NEGATIVE = "micro_f1_with_negative"
    MACRO_F1 = "macro_f1"
    MICRO_F1 = "micro_f1"
    ACCURACY = "accuracy"
    WEIGHTED_F1 = "weighted_f1"
    COHENS_KAPPA = "cohens_kappa"
    CLASS_F1 = "class_f1"
    CLASS_PRECISION = "class_precision"
    CLASS_RECALL = "class_recall"
    MACRO_AUROC = "macro_auroc"
    MAE = "mae"
    RMSE = "rmse"
    PEARSON = "pearson"
    LOSS = "loss"


class MetricInfo(Record):
    title: str
    higher_is_better: bool
    kinds: tuple[TaskKind, ...]


_NER, _REL, _CLS = (TaskKind.NER,), (TaskKind.RELATION,), (TaskKind.CLASSIFICATION,)
_MULTI, _REGRESSION = (TaskKind.MULTILABEL,), (TaskKind.REGRESSION,)

METRICS: dict[MetricName, MetricInfo] = {
    MetricName.ENTITY_F1: MetricInfo(
        title="entity F1 (strict spans, words)", higher_is_better=True, kinds=_NER
    ),
    MetricName.ENTITY_PRECISION: MetricInfo(title="entity precision", higher_is_better=True, kinds=_NER),
    MetricName.ENTITY_RECALL: MetricInfo(title="entity recall", higher_is_better=True, kinds=_NER),
    MetricName.SUBWORD_F1: MetricInfo(
        title="F1 over repeated sub-word tags (the study's way)", higher_is_better=True, kinds=_NER
    ),
    MetricName.POSITIVE_MICRO_F1: MetricInfo(
        title="micro F1 over positive classes", higher_is_better=True, kinds=_REL
    ),
    MetricName.POSITIVE_MICRO_PRECISION: MetricInfo(
        title="micro precision over positive classes", higher_is_better=True, kinds=_REL
    ),
    MetricName.POSITIVE_MICRO_RECALL: MetricInfo(
        title="micro recall over positive classes", higher_is_better=True, kinds=_REL
    ),
    MetricName.MICRO_F1_WITH_NEGATIVE: MetricInfo(
        title="micro F1 with the negative class", higher_is_better=True, kinds=_REL
    ),
    MetricName.MACRO_F1: MetricInfo(title="macro F1", higher_is_better=True, kinds=(*_CLS, *_MULTI)),
    MetricName.MICRO_F1: MetricInfo(title="micro F1", higher_is_better=True, kinds=(*_CLS, *_MULTI)),
    MetricName.ACCURACY: MetricInfo(title="accuracy", higher_is_better=True, kinds=_CLS),
    MetricName.WEIGHTED_F1: MetricInfo(title="F1 weighted by class size", higher_is_better=True, kinds=_CLS),
    MetricName.COHENS_KAPPA: MetricInfo(title="Cohen's kappa", higher_is_better=True, kinds=_CLS),
    MetricName.CLASS_F1: MetricInfo(title="F1 of the positive class", higher_is_better=True, kinds=_CLS),
    MetricName.CLASS_PRECISION: MetricInfo(
        title="precision of the positive class", higher_is_better=True, kinds=_CLS
    ),
    MetricName.CLASS_RECALL: MetricInfo(
        title="recall of the positive class", higher_is_better=True, kinds=_CLS
    ),
    MetricName.MACRO_AUROC: MetricInfo(
        title="macro AUROC (one versus rest)", higher_is_better=True, kinds=(*_CLS, *_REL, *_MULTI)
    ),
    MetricName.MAE: MetricInfo(title="mean absolute error", higher_is_better=False, kinds=_REGRESSION),
    MetricName.RMSE: MetricInfo(title="root mean squared error", higher_is_better=False, kinds=_REGRESSION),
    MetricName.PEARSON: MetricInfo(title="Pearson's correlation", higher_is_better=True, kinds=_REGRESSION),
    MetricName.LOSS: MetricInfo(
        title="mean loss",
        higher_is_better=False,
        kinds=tuple(TaskKind),
    ),
}

IN_THE_UNIT = (MetricName.MAE, MetricName.RMSE)  # of the target, say days

# Measured where the task names its `positive_label`.
OF_ONE_CLASS = (MetricName.CLASS_F1, MetricName.CLASS_PRECISION, MetricName.CLASS_RECALL)

PRIMARY: dict[TaskKind, MetricName] = {
    TaskKind.NER: MetricName.ENTITY_F1,
    TaskKind.RELATION: MetricName.POSITIVE_MICRO_F1,
    TaskKind.CLASSIFICATION: MetricName.MACRO_F1,
    TaskKind.MULTILABEL: MetricName.MICRO_F1,
    TaskKind.REGRESSION: MetricName.MAE,
}


class MetricValue(Record):
    """A figure, or the reason why there is none. Missing is missing: never 0, -1 or NaN."""

    value: float | None = None
    missing: str | None = None

    @model_validator(mode="after")
    def _either(self) -> MetricValue:
        if (self.value is None) == (self.missing is None):
            raise ValueError("a metric has either a value or the reason why it is missing")
        return self


Metrics = dict[MetricName, MetricValue]


def quality(metric: MetricName, metrics: dict[MetricName, MetricValue]) -> float | None:
    """Return the metric oriented so that higher is better; None if it is missing."""
    value = metrics.get(metric)
    if value is None or value.value is None:
        return None
    return value.value if METRICS[metric].higher_is_better else -value.value
