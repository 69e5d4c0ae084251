"""Scoring a split with the weights as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.metrics import MetricName, Metrics, MetricValue
from orchestrator.contracts.outcome import ClassAnswers
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.batches import FlatSplit, Rows, by_length
from workers.contributions import scored_examples
from workers.distributed.ranks import ALONE, Ranks
from workers.documents import Documents
from workers.losses import summed_loss
from workers.metrics import (
    class_answers,
    mention_answers,
    mentions_of_subwords,
    mentions_of_words,
    score_labels,
    score_mentions,
    score_sequences,
    score_subwords,
    score_values,
)
from workers.models.masks import padding_known
from workers.tasks import IGNORED, Encoded, decode_subwords, decode_tags, predicted_values
from workers.thresholds import best_threshold, probabilities

# A model that cannot rank has an AUROC of one half.
AUROC_MARGIN = 0.02
# Where one class is rare, a model that ranks well may still name the other one everywhere. One that does so
# and ranks this badly has given up, too.
ONE_CLASS_AUROC_MARGIN = 0.1
# Of the numbers that a regression answers, in standard deviations of those of train.
ONE_VALUE_DEVIATION = 0.01


class DivergedError(Exception):
    """The loss or the model's output is not finite."""


@dataclass(frozen=True)
class Evaluation:
    """`collapsed`: one answer to everything, or an AUROC near one half (`is_collapsed`). `examples`: what
    each document adds to the score, where this was requested and is defined. `threshold`: the probability
    from which a multilabel model gave a label. `classes`: the answers by class, where an example has any, or
    by type of mention, where `documents` were given."""

    metrics: Metrics
    collapsed: bool
    examples: ScoredExamples | None = None
    threshold: float | None = None
    classes: dict[str, ClassAnswers] = field(default_factory=dict)


def evaluate(
    model: Any,
    data: Encoded,
    flat: FlatSplit,
    task: TaskSpec,
    labels: tuple[str, ...],
    *,
    batch_size: int,
    ranks: Ranks = ALONE,
    documents: Documents | None = None,
    threshold: float | None = None,
) -> Evaluation:
    """Return all metrics of the task's kind, and the mean loss per example (per word for ner). The ranks
    share the batches, and all get the answer that a single one would get. `flat` is `data` on the device;
    with `documents`, those of its examples, also what each of them adds to the task's metric. The `threshold`
    is that of a multilabel model; None: the best one for `data`, which is then dev.

    Leaves the model in evaluation mode. Raises DivergedError where the model's output is not finite.
    """
    logits, loss = _answers(model, flat, batch_size, ranks)
    classes: dict[str, ClassAnswers] = {}
    targets = sum(flat.targets)
    mentions = None  # that the task's metric counts
    if task.kind is TaskKind.NER:
        mentions = mentions_of_words(data.tags, decode_tags(data, logits, labels))
        scores, one_class = score_mentions(mentions), False
        if documents is not None:
            classes = mention_answers(labels, mentions)
        if data.repeated:
            of_subwords = mentions_of_subwords(*decode_subwords(data, logits, labels))
            scores |= score_subwords(of_subwords)
            mentions = of_subwords if task.metric is MetricName.SUBWORD_F1 else mentions
    elif task.kind is TaskKind.REGRESSION:
        scores = score_values(np.array(data.values), predicted_values(data, logits))
        one_class = float(np.std(np.stack(logits))) < ONE_VALUE_DEVIATION
    elif task.kind is TaskKind.MULTILABEL:
        gold, shares = np.array(data.labels, dtype=bool), probabilities(np.stack(logits))
        threshold = best_threshold(task.metric, gold, shares) if threshold is None else threshold
        scores = score_labels(gold, shares >= threshold, shares)
        one_class = _one_set(gold, shares >= threshold)
        classes = class_answers(labels, gold, shares >= threshold)
    else:
        gold, answers = np.array(data.labels), np.stack(logits)
        scores = score_sequences(
            task.kind, labels, task.negative_label, gold, answers, positive_label=task.positive_label
        )
        one_class = _one_class(gold, answers)
        is_class = np.arange(len(labels))
        classes = class_answers(
            labels, gold[:, None] == is_class, answers.argmax(axis=-1)[:, None] == is_class
        )
    collapsed = is_collapsed(task, scores, one_class)
    if targets:
        mean_loss = MetricValue(value=loss / targets)
    else:
        mean_loss = MetricValue(missing="there is no word to label")
    document_scores = None
    if documents is not None:
        document_scores = scored_examples(task, labels, documents, data, logits, threshold, mentions)
    return Evaluation(scores | {MetricName.LOSS: mean_loss}, collapsed, document_scores, threshold, classes)


def _answers(model: Any, examples: FlatSplit, batch_size: int, ranks: Ranks) -> tuple[list[Any], float]:
    """Return the logits in the order of the examples, and the summed loss of their targets."""
    model.eval()
    batches = examples.rows(by_length(examples.lengths, batch_size))
    answers, losses = [], []
    # Sharded weights are gathered in each pass: all make the same number of them.
    with torch.inference_mode() if ranks.count == 1 else torch.no_grad():
        for start in range(0, len(batches), ranks.count):
            number = start + ranks.rank
            answer, loss = _answer(model, examples, batches[min(number, len(batches) - 1)])
            if number < len(batches):
                answers.append(answer)
                losses.append(loss)
    gathered = ranks.gather((answers, [loss.item() for loss in losses]))
    logits: list[Any] = [None] * len(examples.lengths)
    total = np.float32(0)
    for number, batch in enumerate(batches):
        rows, sums = gathered[number % ranks.count]
        total += np.float32(sums[number // ranks.count])
        for index, row in zip(batch.places, rows[number // ranks.count].numpy(), strict=True):
            logits[index] = row
    if not np.isfinite(total):
        raise DivergedError
    return logits, float(total)


def _answer(model: Any, examples: FlatSplit, rows: Rows) -> tuple[Tensor, Tensor]:
    """Return the logits of a batch, and on the device their summed loss."""
    batch = examples.batch(rows)
    with padding_known(batch.padded, batch.labels.device):
        answered = model(**batch.inputs).logits.float()
    return answered.cpu(), summed_loss(examples.objective, answered, batch.labels)


def check_seen(task: TaskSpec, labels: tuple[str, ...], parts: Mapping[Split, Encoded]) -> None:
    """Raises DataError where the task's metric covers only what the model sees, and it sees no mention."""
    if task.metric is not MetricName.SUBWORD_F1:
        return
    for split, data in parts.items():
        rows: Sequence[Any] = data.labels
        tags = [[labels[label] for label in row if label != IGNORED] for row in rows]
        if score_subwords(mentions_of_subwords(tags, tags))[task.metric].missing is not None:
            problem = f"{split} has no {task.metric}: max_length cuts off all of its mentions"
            fix = "raise max_length, or set another metric of the task"
            raise DataError(f"task {task.name}", None, problem, fix)


def is_collapsed(task: TaskSpec, metrics: Metrics, one_class: bool) -> bool:
    """Return whether the model gives one answer to everything.

    ner and relation: nothing was found while there is something to find. classification: `one_class`, that is
    one class was predicted while there are several; multilabel: likewise, one set of labels; regression:
    likewise, numbers that differ by less than a hundredth of what those of train do. But where the
    task is measured by AUROC, what counts is that it is within 0.02 of one half, or within 0.1 with one
    answer to everything.
    """
    if task.kind is TaskKind.NER:
        return _found_nothing(metrics, MetricName.ENTITY_PRECISION, MetricName.ENTITY_RECALL)
    if task.kind is TaskKind.RELATION:
        return _found_nothing(metrics, MetricName.POSITIVE_MICRO_PRECISION, MetricName.POSITIVE_MICRO_RECALL)
    if task.metric is not MetricName.MACRO_AUROC:
        return one_class
    area = metrics[MetricName.MACRO_AUROC].value
    if area is None:
        return one_class
    return abs(area - 0.5) < (ONE_CLASS_AUROC_MARGIN if one_class else AUROC_MARGIN)


def _found_nothing(metrics: Metrics, precision: MetricName, recall: MetricName) -> bool:
    """Return whether nothing was predicted (no precision) though there was something to find (a recall)."""
    return metrics[precision].value is None and metrics[recall].value is not None


def _one_set(gold: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> bool:
    """Return whether all examples get the same labels, though they have different ones."""
    return bool((predicted == predicted[0]).all() and not (gold == gold[0]).all())


def _one_class(gold: NDArray[np.integer[Any]], logits: NDArray[np.floating[Any]]) -> bool:
    return len(np.unique(logits.argmax(axis=-1))) == 1 < len(np.unique(gold))
