"""Two results on the same seeds and the same documents: their difference, and how far it can be trusted.

Seeds and documents are crossed: every seed of a cell answers every document of the test part. With k seeds, n
documents and d[s, i] the difference of the two contributions of document i under seed s, the mean of d has
the variance

    seeds      variance of the k means over documents / k, and
    documents  what the n means over seeds vary beyond the residual of the two-way table, / n,

which is the analysis of Obuchowski and Rockette (1995) for readers and cases. Both are estimated, the first
from very few values, so the mean moves as a t of k - 1 degrees of freedom and one of n - 1, added: the
distribution of Behrens and Fisher. One t of degrees of freedom after Satterthwaite (Hillis 2007) claims too
much at two and three seeds, and a bootstrap over so few gives intervals that are far too narrow: how often
which holds is measured by `tests/bench/interval_coverage.py`. Without contributions of documents the seeds
alone speak.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from orchestrator.report.replicates import Replicates
from orchestrator.report.statistics import CONFIDENCE

Floats = NDArray[np.float64]
_GRAIN = 1e-9  # a standard error below it is rounding, not scatter
_EDGES = np.linspace(-10.0, 10.0, 801)  # over which the t of the documents is summed up
_FINEST = 0.02  # of the documents' error: a smaller one of the seeds is less than the sum can resolve


@dataclass(frozen=True)
class Estimate:
    """`seed_error` and `document_error` are the two parts of the standard error of `mean`."""

    mean: float
    seeds: int
    documents: int | None
    seed_error: float | None = None  # None for one seed
    document_error: float = 0.0

    @property
    def error(self) -> float | None:
        """None for one seed, and where nothing scatters: then nothing can be said."""
        if self.seed_error is None:
            return None
        whole = math.hypot(self.seed_error, self.document_error)
        return whole if whole > _GRAIN else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 %, two-sided."""
        if self.error is None:
            return None
        half = float(stdtrit(self.seeds - 1, (1 + CONFIDENCE) / 2)) * self.error  # never too narrow
        if self.document_error > 0:
            half = float(brentq(lambda at: self._beyond(at) - (1 - CONFIDENCE) / 2, 0.0, half, rtol=1e-4))
        return self.mean - half, self.mean + half

    @property
    def p(self) -> float | None:
        """Two-sided, of a mean of 0. 1 for what never differs."""
        if self.error is None:
            return 1.0 if self.seed_error is not None and abs(self.mean) < _GRAIN else None
        return min(1.0, 2 * self._beyond(abs(self.mean)))

    def _beyond(self, at: float) -> float:
        """The probability that the mean lies more than `at` above what it estimates."""
        seed_error = self.seed_error or 0.0
        if self.document_error == 0 or self.documents is None:
            return float(stdtr(self.seeds - 1, -at / seed_error))
        places, weights = _summed(self.documents)
        width = max(seed_error, _FINEST * self.document_error)
        return float(weights @ stdtr(self.seeds - 1, (places * self.document_error - at) / width))


@lru_cache
def _summed(documents: int) -> tuple[Floats, Floats]:
    """Places of the t of n - 1 degrees of freedom and what it weighs there; all that is left at the ends."""
    below = np.concatenate([[0.0], stdtr(documents - 1, _EDGES[1:-1]), [1.0]])
    return (_EDGES[1:] + _EDGES[:-1]) / 2, np.diff(below)


def estimate(values: Floats, parts: Floats | None) -> Estimate:
    """`values`: [k], one a seed. `parts`: [k, n], what documents add: of mean `values` over n."""
    k, mean = len(values), float(values.mean())
    if k < 2:
        return Estimate(mean, k, None if parts is None else parts.shape[1])
    seeds, documents, n = float(values.var(ddof=1)) / k, 0.0, None
    if parts is not None and parts.shape[1] > 1:
        n = parts.shape[1]
        documents = _of_documents(parts, seeds)
    return Estimate(mean, k, n, math.sqrt(seeds), math.sqrt(documents))


def _of_documents(parts: Floats, seeds: float) -> float:
    """Where neither it nor the seeds scatter beyond the residual, with the residual."""
    k, n = parts.shape
    over_seeds = parts.mean(axis=0)
    residual = parts - over_seeds
    residual -= residual.mean(axis=1, keepdims=True)
    mixed = float((residual**2).sum() / ((k - 1) * (n - 1)) / (k * n))
    spread = float(over_seeds.var(ddof=1) / n)
    return float(max(spread - mixed, 0.0)) if spread > mixed or math.sqrt(seeds) > _GRAIN else spread


def difference(one: Replicates, other: Replicates) -> Estimate:
    """`one` less `other`, on the seeds that both have. A mean of those means where they share none."""
    return mean_difference([(one, other)])


def mean_difference(pairs: list[tuple[Replicates, Replicates]]) -> Estimate:
    """The mean over the pairs of the first less the second, on the seeds that all of them have."""
    seeds = sorted(set.intersection(*(set(r.seeds) for pair in pairs for r in pair)))
    if not seeds:
        mean = math.fsum(a.mean - b.mean for a, b in pairs) / len(pairs)
        return Estimate(mean, 0, None)
    values = np.mean([a.of(seeds) - b.of(seeds) for a, b in pairs], axis=0)
    sets = {r.test_set for pair in pairs for r in pair}
    if len(sets) > 1 or None in sets:
        return estimate(values, None)
    parts = np.zeros(1)
    for a, b in pairs:
        parts = parts + a.parts_of(seeds) - b.parts_of(seeds)
    return estimate(values, parts / len(pairs))
