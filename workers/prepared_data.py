"""The data of a trial, read, checked and encoded; later attempts of the same slot find them in its memory.

A cost leaves out Phase.TOKENISE, so that it does not depend on which trial was the first to read a corpus.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.split_counts import SplitCounts
from orchestrator.contracts.target_scale import TargetScale
from orchestrator.contracts.vocabulary import Split
from workers.data import check_scorable
from workers.guessing import guessing
from workers.inputs import DataSpec, Examples, TaskData, encode_examples
from workers.runtime.kept_data import keep, kept
from workers.tasks import Encoded


@dataclass(frozen=True)
class InputRecord:
    """What the data of a trial hold: counts and labels, no text."""

    labels: tuple[str, ...] = ()
    rows: dict[str, int] = field(default_factory=dict)
    splits: dict[Split, SplitCounts] = field(default_factory=dict)
    train_classes: dict[str, int] = field(default_factory=dict)
    guessing: dict[MetricName, float] = field(default_factory=dict)
    target_scale: TargetScale | None = None


@dataclass(frozen=True, repr=False)
class PreparedData:
    record: InputRecord
    data: TaskData


def count_inputs(examples: Examples) -> InputRecord:
    return InputRecord(
        labels=examples.labels,
        rows=examples.rows,
        splits=examples.counts,
        train_classes=examples.train_classes,
        target_scale=examples.scale,
    )


def prepare(spec: DataSpec, examples: Examples, record: InputRecord, tokenizer: Any) -> PreparedData:
    """Check that the splits can be scored, guess, encode, and keep the result for later attempts. Raises
    DataError, WeightsError."""
    task, splits = spec.task, examples.splits
    check_scorable(task, examples.labels, {split: splits[split] for split in spec.scored})
    guessed = {}
    if Split.TEST in spec.scored:
        guessed = guessing(task, examples.labels, splits[Split.TRAIN], splits[Split.TEST])
    data = encode_examples(examples, spec, tokenizer)
    prepared = PreparedData(replace(record, guessing=guessed, splits=data.counts), data)
    if spec.data_digest is not None:
        keep(spec.digest, _packed(prepared))
    return prepared


def find_prepared(spec: DataSpec) -> PreparedData | None:
    """Return what an earlier attempt has kept; None where none has."""
    content = kept(spec.digest)
    return None if content is None else _unpacked(content)


def _packed(prepared: PreparedData) -> bytes:
    data = prepared.data
    small = replace(
        data, train=_without_rows(data.train), dev=_without_rows(data.dev), test=_without_rows(data.test)
    )
    rows = [[_Rows.of(part.input_ids), _Rows.of(part.token_type_ids)] for part in data.parts.values()]
    return pickle.dumps((replace(prepared, data=small), rows), protocol=5)


def _unpacked(content: memoryview) -> PreparedData:
    """What an attempt of this slot has packed; nothing else can have written it."""
    prepared: PreparedData
    prepared, rows = pickle.loads(content)  # noqa: S301
    train, dev, test = (
        replace(part, input_ids=ids.lists(), token_type_ids=None if types is None else types.lists())
        for part, (ids, types) in zip(prepared.data.parts.values(), rows, strict=True)
    )
    return replace(prepared, data=replace(prepared.data, train=train, dev=dev, test=test))


def _without_rows(encoded: Encoded) -> Encoded:
    return replace(encoded, input_ids=[], token_type_ids=None)


@dataclass(frozen=True)
class _Rows:
    """Rows of token ids end to end, in the smallest type that holds them: a third of what pickle takes."""

    values: NDArray[Any]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]] | None) -> _Rows | None:
        if rows is None:
            return None
        values = np.fromiter(chain.from_iterable(rows), np.int64)
        kind = np.min_scalar_type(values.max(initial=0))
        return cls(values.astype(kind), np.cumsum([len(row) for row in rows], dtype=np.int64))

    def lists(self) -> list[list[int]]:
        flat, ends = self.values.tolist(), self.ends.tolist()
        return [flat[start:end] for start, end in pairwise([0, *ends])]
