"""Scoring a split with the weights as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from orchestrator.contracts.metrics import MetricName, Metrics, MetricValue
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from workers.batches import by_length, collate
from workers.metrics import score_sequences, score_tags
from workers.tasks import IGNORED, Encoded, decode_tags


class DivergedError(Exception):
    """The numbers are no longer finite."""


def evaluate(
    model: Any, data: Encoded, task: TaskSpec, labels: tuple[str, ...], *, batch_size: int, pad: int
) -> Metrics:
    """All metrics of the task's kind, and the mean cross-entropy of an example (of a word for ner).

    Leaves the model in evaluation mode. Raises DivergedError where the model's output is not finite.
    """
    model.eval()
    device = next(model.parameters()).device
    logits: list[Any] = [None] * len(data)
    total = torch.zeros((), device=device)
    targets = 0
    with torch.inference_mode():
        for indices in by_length([len(ids) for ids in data.input_ids], batch_size):
            inputs, wanted = collate(data, indices, pad, device)
            answered = model(**inputs).logits.float()
            total += cross_entropy(
                answered.flatten(0, -2), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
            )
            targets += int((wanted != IGNORED).sum())
            for index, row in zip(indices, answered.cpu().numpy(), strict=True):
                logits[index] = row
    loss = total.item()
    if not np.isfinite(loss):
        raise DivergedError
    if task.kind is TaskKind.NER:
        scores = score_tags(data.tags, decode_tags(data, logits, labels))
    else:
        scores = score_sequences(
            task.kind, labels, task.negative_label, np.array(data.labels), np.stack(logits)
        )
    if not targets:
        return scores | {MetricName.LOSS: MetricValue(missing="there is no word to label")}
    return scores | {MetricName.LOSS: MetricValue(value=loss / targets)}
