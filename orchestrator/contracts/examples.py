"""What a finished attempt records about each document of the test part: enough to compare two models
pairwise.

Not a word of text, no name of a document, no class, no logit. The record has two numbers per document, from
which the metric is computed. How they are computed, and what they still reveal: see `workers.contributions`.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import PositiveInt

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Unit

_FLOAT: Final = "f"  # single precision, little-endian in the file
_BYTES = 4


class _Head(Record):
    metric: MetricName
    test_set: str
    documents: PositiveInt
    unit: Unit = Unit.DOCUMENT


@dataclass(frozen=True, slots=True)
class ScoredExamples:
    """`examples.bin`, written before the outcome that it belongs to: complete or absent.

    The metric is sum(numerator) / sum(denominator), over the documents of the test part in an order that is
    the same for all trials of a task and not that of its rows. For metrics that are no such ratio (macro F1,
    AUROC) that holds to first order when documents are resampled, and exactly for the documents as they are.
    Two records can be paired where `test_set`, a digest of the whole test part, is the same.

    The file is one line of JSON, then the numerators, then the denominators: thousands of trials with
    thousands of documents are read in seconds.
    """

    metric: MetricName
    test_set: str
    numerator: array[float]  # of single precision
    denominator: array[float]
    unit: Unit = Unit.DOCUMENT  # what its documents are

    def __post_init__(self) -> None:
        if len(self.numerator) != len(self.denominator):
            raise ValueError("numerator and denominator are of different lengths")
        total = sum(self.denominator)
        if not math.isfinite(sum(self.numerator)) or not math.isfinite(total):
            raise ValueError("not all numbers are finite")
        if min(self.denominator, default=0.0) < 0 or not total > 0:
            raise ValueError("denominators are not negative, and one is positive")

    def to_bytes(self) -> bytes:
        head = _Head(
            metric=self.metric, test_set=self.test_set, documents=len(self.numerator), unit=self.unit
        )
        numbers = (_turned(part).tobytes() for part in (self.numerator, self.denominator))
        return b"".join((head.model_dump_json().encode(), b"\n", *numbers))

    @classmethod
    def from_bytes(cls, content: bytes) -> ScoredExamples:
        """Read a file's content. Raises ValueError if it is truncated or of another format."""
        line, _, numbers = content.partition(b"\n")
        head = _Head.model_validate_json(line)
        size = head.documents * _BYTES
        if len(numbers) != 2 * size:
            raise ValueError(f"{len(numbers)} bytes of numbers for {head.documents} documents")
        numerator, denominator = (_turned(array(_FLOAT, part)) for part in (numbers[:size], numbers[size:]))
        return cls(head.metric, head.test_set, numerator, denominator, head.unit)


def floats(values: Iterable[float]) -> array[float]:
    """Numbers as a record holds them."""
    return array(_FLOAT, values)


def _turned(part: array[float]) -> array[float]:
    """Convert between the byte order of the file (little-endian) and that of this machine."""
    if sys.byteorder == "little":
        return part
    swapped = part[:]
    swapped.byteswap()
    return swapped
