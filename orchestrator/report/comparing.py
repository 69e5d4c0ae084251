"""Two results on the same seeds and the same documents: their difference, and how far it can be trusted.

Seeds and documents are crossed: every seed of a cell answers every document of the test part. With k seeds, n
documents and d[s, i] the difference of the two contributions of document i under seed s, the mean of d has
the variance

    seeds      variance of the k means over documents / k, and
    documents  what the n means over seeds vary beyond the residual of the two-way table, / n.

This is the analysis of Obuchowski and Rockette (1995) for readers and cases, which seeds and documents are
here, with the degrees of freedom of Hillis (2007): as few as k - 1 where the seeds scatter, many where the
documents do. A bootstrap over two to five seeds gives intervals that are too narrow; how often each holds is
measured by `tests/bench/interval_coverage.py`. Without contributions of documents the seeds alone speak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from orchestrator.report.replicates import Replicates
from orchestrator.report.statistics import CONFIDENCE

Floats = NDArray[np.float64]
_GRAIN = 1e-9  # a standard error below it is rounding, not scatter


@dataclass(frozen=True)
class Estimate:
    """`error` is the standard error of `mean`, the part of the seeds and that of the documents together."""

    mean: float
    error: float | None  # None for one seed, and where nothing scatters
    freedom: float  # degrees of it
    seeds: int
    documents: int | None
    seed_variance: float = 0.0  # of the mean
    document_variance: float = 0.0

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %, two-sided."""
        if self.error is None:
            return None
        half = float(stdtrit(self.freedom, (1 + CONFIDENCE) / 2)) * self.error
        return self.mean - half, self.mean + half

    @property
    def p(self) -> float | None:
        """Two-sided, of a mean of 0. 1 for what never differs."""
        if self.error is None:
            return 1.0 if self.seeds > 1 and abs(self.mean) < _GRAIN else None
        return 2 * float(stdtr(self.freedom, -abs(self.mean) / self.error))


def estimate(values: Floats, parts: Floats | None) -> Estimate:
    """`values`: [k], one a seed. `parts`: [k, n], what documents add: of mean `values` over n."""
    k, mean = len(values), float(values.mean())
    if k < 2:
        return Estimate(mean, None, 0.0, k, None if parts is None else parts.shape[1])
    seeds, documents, n = float(values.var(ddof=1)) / k, 0.0, None
    if parts is not None and parts.shape[1] > 1:
        n = parts.shape[1]
        documents = _of_documents(parts)
    whole = seeds + documents
    if math.sqrt(whole) < _GRAIN:
        return Estimate(mean, None, 0.0, k, n)
    freedom = whole**2 / (seeds**2 / (k - 1) + (documents**2 / (n - 1) if n else 0.0))
    return Estimate(mean, math.sqrt(whole), freedom, k, n, seeds, documents)


def _of_documents(parts: Floats) -> float:
    k, n = parts.shape
    over_seeds = parts.mean(axis=0)
    residual = parts - over_seeds
    residual -= residual.mean(axis=1, keepdims=True)
    mixed = float((residual**2).sum()) / ((k - 1) * (n - 1)) / (k * n)
    return float(max(over_seeds.var(ddof=1) / n - mixed, 0.0))


def difference(one: Replicates, other: Replicates) -> Estimate:
    """`one` less `other`, on the seeds that both have. A mean of those means where they share none."""
    return mean_difference([(one, other)])


def mean_difference(pairs: list[tuple[Replicates, Replicates]]) -> Estimate:
    """The mean over the pairs of the first less the second, on the seeds that all of them have."""
    seeds = sorted(set.intersection(*(set(r.seeds) for pair in pairs for r in pair)))
    if not seeds:
        mean = math.fsum(a.mean - b.mean for a, b in pairs) / len(pairs)
        return Estimate(mean, None, 0.0, 0, None)
    values = np.mean([a.of(seeds) - b.of(seeds) for a, b in pairs], axis=0)
    sets = {r.test_set for pair in pairs for r in pair}
    if len(sets) > 1 or None in sets:
        return estimate(values, None)
    parts = np.zeros(1)
    for a, b in pairs:
        parts = parts + a.parts_of(seeds) - b.parts_of(seeds)
    return estimate(values, parts / len(pairs))
