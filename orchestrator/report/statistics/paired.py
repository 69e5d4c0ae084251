"""Two results on the same seeds and the same documents: their difference, and how far it can be trusted.

Seeds and documents are crossed: every seed of a cell answers every document of the test part. Let d[s, i] be
the difference of the two contributions of document i under seed s,

    d[s, i] = mean + seed[s] + document[i] + mixed[s, i],   with the variances S, D and M.

The mean over k seeds and n documents has the variance S/k + D/n + M/(kn), which is estimated in two parts:

    seeds      the variance of the k means over documents, / k: it expects S/k + M/(kn), since all seeds share
               the documents, whose own part D cancels from it;
    documents  the variance of the n means over seeds, / n, which expects D/n + M/(kn), less what the residual
               of the two-way table says of M/(kn).

So M is counted once (Obuchowski and Rockette 1995, for readers and cases). The first part is known from k - 1
degrees of freedom, the second from n - 1; Satterthwaite's formula gives those of the sum. It takes the true
parts. With the estimated ones it claims too much at two and three seeds, for where they happen to scatter
little, the seeds seem to matter little too, and the degrees of freedom come out large (88 % where 95 is
meant); the distribution of Behrens and Fisher, which adds a t for each part, errs to the other side (99 %).
Hence the degrees of freedom are taken at an upper confidence limit of the seeds' part: the chi-squared one
that misses with the probability 0.3 (level / 0.05)^(3/4), at most one half. Summed up over the distribution
of that part, with n large, this covers 93.3 to 97.0 % for two seeds, 94.5 to 96.2 for three, and 94.9 to 95.6
from five on, whatever the two parts are; at the levels that Holm's correction asks for, the rate of false
claims stays within 1.25 times the level for two seeds, and below it from three on.

Scores of n documents lie on a lattice of steps of 1/n, so the differences of two seeds are often equal to the
last digit though the seeds do scatter. For the degrees of freedom the seeds' part is therefore never less
than what rounding to the lattice adds to it (Sheppard): (1/n)^2 / 12 for each score, so 2 (1/n)^2 / (12 k).

The seeds' part of a contrast is moderated over the cells of its task (`moderation`), where these are given;
k - 1 is then the larger number of degrees of freedom that come with it.

With folds the seeds also differ in how the documents were dealt, and the training parts of the folds and of
the seeds share documents. What all of them owe to the documents that were at hand, no seed averages out. It
is taken to be as large as Nadeau and Bengio (2003) take it, by the ratio of a test part to a training part:
for K folds K / (K - 1) times the variance of a seed, added to the part of the documents.

A bootstrap over two to five seeds is far too narrow. How often each of these holds is measured by
`tests/bench/interval_coverage.py`, and with folds by `tests/bench/folds_coverage.py`. Without contributions
of documents the seeds alone speak.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import chdtri, stdtr, stdtrit

from orchestrator.contracts.vocabulary import Unit
from orchestrator.report.statistics.arrays import GRAIN, Floats
from orchestrator.report.statistics.moderation import Prior
from orchestrator.report.statistics.replicates import Replicates, of_documents, overlap
from orchestrator.report.statistics.summary import CONFIDENCE

ReplicatePair = tuple[Replicates, Replicates]
OtherAxes = tuple[str, str]  # what a pair has in common: two of model, domain and method
_LEAST_P = 1e-12


@dataclass(frozen=True)
class MeanEstimate:
    """`seed_error` and `document_error` are the two parts of the standard error of `mean`. `freedom`: of the
    first; None: one less than `seeds`."""

    mean: float
    seeds: int
    documents: int | None
    seed_error: float | None = None  # None for one seed
    document_error: float = 0.0
    freedom: float | None = None
    unit: Unit = Unit.DOCUMENT  # what the documents are
    signs: tuple[int, int, int] | None = None  # of a mean over pairs: how many are above 0, below it, and all
    scattered: bool = False  # of two cells, one of which has seeds that failed and others that worked

    @property
    def error(self) -> float | None:
        """Return the standard error. None for one seed, and where nothing scatters: then no test is
        possible."""
        if self.seed_error is None:
            return None
        total = math.hypot(self.seed_error, self.document_error)
        return total if total > GRAIN else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the two-sided 95 % interval."""
        half = self.half(1 - CONFIDENCE)
        return None if half is None else (self.mean - half, self.mean + half)

    def half(self, level: float) -> float | None:
        """Return half the width of the two-sided interval that misses with probability `level`: the least
        mean that differs from 0 at that level. None where there is no error."""
        if self.error is None:
            return None
        return -float(stdtrit(self._freedom(level), level / 2)) * self.error

    @cached_property
    def p(self) -> float | None:
        """Return the two-sided p-value of a mean of 0: the level at which the interval ends there. 1 for what
        never differs."""
        if self.error is None:
            return 1.0 if self.seed_error is not None and abs(self.mean) < GRAIN else None
        size = abs(self.mean) / self.error
        if self._excess(_LEAST_P, size) <= 0:
            return _LEAST_P
        from scipy.optimize import brentq  # takes a third of a second to import

        return float(brentq(self._excess, _LEAST_P, 1.0, args=(size,), xtol=_LEAST_P, rtol=1e-6))

    def _excess(self, level: float, size: float) -> float:
        """Falls with the level: the lower it is, the fewer degrees of freedom there are."""
        return 2 * float(stdtr(self._freedom(level), -size)) - level

    def _freedom(self, level: float) -> float:
        k, n = self.seeds, self.documents
        seed_freedom = k - 1 if self.freedom is None else self.freedom
        if self.document_error == 0 or n is None or self.seed_error is None:
            return seed_freedom
        missed = min(0.3 * (level / 0.05) ** 0.75, 0.5)
        least = 2 / (12 * n**2 * k)
        seeds = max(self.seed_error**2, least) * seed_freedom / float(chdtri(seed_freedom, 1 - missed))
        documents = self.document_error**2
        return (seeds + documents) ** 2 / (seeds**2 / seed_freedom + documents**2 / (n - 1))


def mean_estimate(
    values: Floats,
    parts: Floats | None,
    prior: Prior | None = None,
    weight: float = 1.0,
    unit: Unit = Unit.DOCUMENT,
    folds: int | None = None,
    scattered: bool = False,
) -> MeanEstimate:
    """`values`: [k], one a seed. `parts`: [k, n], what documents add: of mean `values` over n. `prior`: of
    the variance of a seed; `weight`: how many times that `values` have; `unit`: what the documents are;
    `folds`: how many tested them, None for a test part; `scattered`: some seeds failed, and their documents
    count alike. Then the documents' part cannot be told from what documents and seeds mix, and has both."""
    k, n = len(values), None if parts is None else parts.shape[1]
    if k < 2:
        return MeanEstimate(float(values.mean()), k, n, unit=unit)
    documents = 0.0
    if parts is not None and parts.shape[1] > 1:
        over_seeds = parts.mean(axis=0)
        documents = float(over_seeds.var(ddof=1)) / parts.shape[1]
        if not scattered:
            documents = of_documents(parts, over_seeds, float(values.var(ddof=1)) / k)
    return _estimate(values, (documents, n), prior, weight, unit, folds)


def of_cell(cell: Replicates, prior: Prior | None = None) -> MeanEstimate:
    """Estimate the mean of one cell."""
    n = None if cell.parts is None else cell.parts.shape[1]
    if len(cell.quality) < 2:
        return MeanEstimate(cell.mean, len(cell.quality), n, unit=cell.unit)
    return _estimate(cell.quality, (cell.document_variance, n), prior, 1.0, cell.unit, cell.folds)


def _estimate(
    values: Floats,
    of_documents: tuple[float, int | None],
    prior: Prior | None,
    weight: float,
    unit: Unit,
    folds: int | None,
) -> MeanEstimate:
    """Estimate the mean of `values`. `of_documents`: the variance of the mean that is due to them, and their
    number."""
    documents, n = of_documents
    k, mean = len(values), float(values.mean())
    n = None if n == 1 else n
    seeds, freedom = float(values.var(ddof=1)) / k, k - 1.0
    if prior is not None and (documents > 0 or math.sqrt(seeds) > GRAIN):
        variance, freedom = prior.moderate(seeds * k, freedom, weight)
        seeds = variance / k
    documents += seeds * k * overlap(folds)
    return MeanEstimate(mean, k, n, math.sqrt(seeds), math.sqrt(documents), freedom, unit)


def difference(left: Replicates, right: Replicates, prior: Prior | None = None) -> MeanEstimate:
    """Estimate `left` less `right` on the seeds that both have, or between their means where they share
    none."""
    key = id(right), prior
    if key not in left.differences:
        left.differences[key] = right, mean_difference([(left, right)], prior)
    cached = left.differences[key][1]
    assert isinstance(cached, MeanEstimate)
    return cached


def comparable(pairs: Mapping[OtherAxes, ReplicatePair]) -> list[OtherAxes]:
    """Which of the pairs a mean is made of, by the seeds that are there and never by their results: those
    with the most frequent seeds, as many as leave most to compare. Empty where no pair shares two."""
    shared = {rest: set(a.seeds) & set(b.seeds) for rest, (a, b) in pairs.items()}
    counts = Counter(seed for seeds in shared.values() for seed in seeds)
    frequent = sorted(counts, key=lambda seed: (-counts[seed], seed))
    chosen: list[OtherAxes] = []
    most = 0
    for number in range(2, len(frequent) + 1):
        complete = [rest for rest, seeds in shared.items() if seeds.issuperset(frequent[:number])]
        if complete and (number - 1) * len(complete) >= most:
            chosen, most = complete, (number - 1) * len(complete)
    return chosen or [rest for rest, seeds in shared.items() if len(seeds) > 1][:1]


def mean_difference(
    pairs: list[ReplicatePair], prior: Prior | None = None, weight: float | None = None
) -> MeanEstimate:
    """The mean over the pairs of the first less the second, on the seeds that all of them have. With failed
    seeds among them, their own scatter alone is what it is judged by. `weight`: the sum of the squares of the
    weights of all cells, where one cell is in several pairs. The one seed that is left of a cell whose others
    failed is judged by how the other cells scatter. Of two cells that share fewer than two seeds that worked,
    nothing tells how they scatter."""
    if any(r.failed for pair in pairs for r in pair):
        prior = None
    weight = 2 / len(pairs) if weight is None else weight
    seeds = sorted(set.intersection(*(set(r.seeds) for pair in pairs for r in pair)))
    if len(pairs) > 1 and seeds:
        differences = [a.of(seeds).mean() - b.of(seeds).mean() for a, b in pairs]
        signs = sum(d > GRAIN for d in differences), sum(d < -GRAIN for d in differences), len(differences)
        return replace(_mean(pairs, seeds, prior, weight), signs=signs)
    estimate = _mean(pairs, seeds, prior, weight)
    if not any(r.scattered for pair in pairs for r in pair):
        return estimate
    worked = set(seeds).difference(*(r.failed for pair in pairs for r in pair))
    return replace(estimate, scattered=True, seed_error=estimate.seed_error if len(worked) > 1 else None)


def _mean(
    pairs: list[ReplicatePair], seeds: Sequence[int], prior: Prior | None, weight: float
) -> MeanEstimate:
    if not seeds:
        mean = math.fsum(a.mean - b.mean for a, b in pairs) / len(pairs)
        return MeanEstimate(mean, 0, None)
    values = np.mean([a.of(seeds) - b.of(seeds) for a, b in pairs], axis=0)
    sets = {r.test_set for pair in pairs for r in pair}
    parts, unit, folds = None, Unit.DOCUMENT, pairs[0][0].folds
    if len(sets) == 1 and None not in sets:
        parts, unit = np.zeros(1), pairs[0][0].unit
        for a, b in pairs:
            parts = parts + a.parts_of(seeds) - b.parts_of(seeds)
        parts = parts / len(pairs)
    if len(values) == 1 and prior is not None and any(r.dropped for pair in pairs for r in pair):
        return _of_one_seed(float(values[0]), parts, prior, weight, unit, folds)
    scattered = any(r.scattered for pair in pairs for r in pair)
    return mean_estimate(values, parts, prior, weight, unit, folds, scattered)


def _of_one_seed(
    value: float, parts: Floats | None, prior: Prior, weight: float, unit: Unit, folds: int | None
) -> MeanEstimate:
    """Estimate like `mean_estimate` from one seed, by how the seeds of the other cells scatter."""
    variance, freedom = prior.moderate(0.0, 0.0, weight)
    documents, n = variance * overlap(folds), None
    if parts is not None and parts.shape[1] > 1:
        n = parts.shape[1]
        documents += float(parts.var(ddof=1)) / n
    return MeanEstimate(value, 1, n, math.sqrt(variance), math.sqrt(documents), freedom, unit)
