"""Reduce the training examples: the same subset for every cell and seed, and smaller subsets within larger
ones."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from orchestrator.errors import ConfigError, Problem
from workers.data.examples import Example, MultilabelText, RegressionText, Text, labels_of

_CAP_SEED = "frontier-rows-1"  # a change changes every capped result


def cap_rows(examples: Sequence[Example], rows: int | None, per_class: int | None = None) -> list[Example]:
    """Return at most `rows` of the examples, or `per_class` of each class, in their order; all of them for
    None.

    The choice depends only on their order and labels, so every cell and seed gets the same one, and a smaller
    choice is part of a larger one. With `rows` the first example of each class or label comes before all
    others. A class with fewer than `per_class` gives all it has. Raises ConfigError for sentences and
    multilabel texts, which have no single class.
    """
    if per_class is not None:
        return [examples[index] for index in _of_each_class(examples, per_class)]
    if rows is None or rows >= len(examples):
        return list(examples)
    seen: set[str] = set()
    leaders: list[int] = []
    followers: list[int] = []
    for index in _shuffled(examples):
        example = examples[index]
        new = {*labels_of(example)} - seen if isinstance(example, Text) else set()
        seen |= new
        (leaders if new else followers).append(index)
    return [examples[index] for index in sorted([*leaders, *followers][:rows])]


def _of_each_class(examples: Sequence[Example], per_class: int) -> list[int]:
    counts: Counter[str] = Counter()
    chosen = []
    for index in _shuffled(examples):
        example = examples[index]
        if not isinstance(example, Text) or isinstance(example, MultilabelText | RegressionText):
            problem = "a sentence of ner, or a text of a multilabel or regression task, is of no one class"
            fix = "set train_rows, which counts sentences or texts"
            raise ConfigError([Problem("recipe", "train_rows_per_class", problem, fix)])
        if counts[example.label] < per_class:
            counts[example.label] += 1
            chosen.append(index)
    return sorted(chosen)


def _shuffled(examples: Sequence[Example]) -> list[int]:
    return sorted(range(len(examples)), key=_rank)


def _rank(index: int) -> bytes:
    return hashlib.sha256(f"{_CAP_SEED}:{index}".encode()).digest()
