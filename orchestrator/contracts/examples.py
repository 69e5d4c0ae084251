"""What a finished attempt tells about each document of the test part: enough to compare two models pairwise.

Not a word of text, no name of a document, no class, no logit. What stands here are two numbers a document, of
which the metric is made; how they are made is told in `workers.contributions`.
"""

from __future__ import annotations

from pydantic import model_validator

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.record import Record


class ScoredExamples(Record):
    """`examples.json`, written before the outcome that it belongs to: complete or absent.

    The metric is sum(numerator) / sum(denominator), over the documents of the test part in their order. For
    metrics that are no such ratio (macro F1, AUROC) that holds to first order when documents are drawn anew,
    and exactly for the documents as they are. Two records can be paired where `test_set`, a digest of the
    whole test part, is the same.
    """

    metric: MetricName
    test_set: str
    numerator: tuple[float, ...]
    denominator: tuple[float, ...]

    @model_validator(mode="after")
    def _coherent(self) -> ScoredExamples:
        if len(self.numerator) != len(self.denominator):
            raise ValueError("numerator and denominator are of different lengths")
        if min(self.denominator, default=0.0) < 0 or not sum(self.denominator) > 0:
            raise ValueError("denominators are not negative, and one is positive")
        return self
