"""Short texts as a trial encodes them, and an order that trains on them in small passes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from tiny_models import LABELS

from orchestrator.contracts.resources import Resources
from orchestrator.contracts.vocabulary import TaskKind
from workers.tasks import Encoded, LogitMeaning

PASS, BATCH, SCORED = 2, 4, 4


def encoded(kind: TaskKind, count: int, first: int, pairs: bool = False) -> Encoded:
    """Texts of 3 to 11 tokens, with labels of the kind."""
    ids = [[5 + (7 * n + 3 * k) % 80 for k in range(3 + n % 9)] for n in range(first, first + count)]
    types = [[int(k > 1) for k, _ in enumerate(row)] for row in ids] if pairs else None
    labels: Any = [n % len(LABELS) for n in range(count)]
    objective = LogitMeaning.ONE_OF
    if kind is TaskKind.NER:
        labels = [[(n + k) % len(LABELS) for k, _ in enumerate(row)] for n, row in enumerate(ids)]
    elif kind is TaskKind.MULTILABEL:
        objective = LogitMeaning.ANY_OF
        labels = [[float((n + k) % 2) for k, _ in enumerate(LABELS)] for n in range(count)]
    return Encoded(ids, labels, types, truncated=0, objective=objective)


def one_length(count: int, first: int) -> Encoded:
    """Texts of 6 tokens."""
    longer = encoded(TaskKind.CLASSIFICATION, count, first)
    ids = [[5 + (7 * n + 3 * k) % 80 for k in range(6)] for n in range(first, first + count)]
    return replace(longer, input_ids=ids)


def data_of(kind: TaskKind, pairs: bool = False) -> Any:
    parts = {"train": encoded(kind, 22, 0, pairs), "dev": encoded(kind, 9, 40, pairs)}
    return SimpleNamespace(**parts, pad=0, task=SimpleNamespace(kind=kind))


def order() -> Any:
    return SimpleNamespace(
        resources=Resources(),
        pass_size=PASS,
        evaluation_size=SCORED,
        trial=SimpleNamespace(seed=1, recipe=SimpleNamespace(batch_size=BATCH)),
    )
