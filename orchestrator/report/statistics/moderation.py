"""Variances over seeds, moderated over the cells of a task: what two to five seeds cannot say alone.

The variance of a seed is taken to differ from cell to cell as a scaled inverse chi-squared distribution does,
with `freedom` d0 and `variance` s0 squared: 1/variance ~ chi-squared(d0) / (d0 s0^2). Both are fitted to the
logarithms of all cells' variances by their mean and their variance (Smyth 2004, section 6.2). A contrast of
cells that has the variance s^2 with d degrees of freedom of its own is then judged by

    (d0 w s0^2 + d s^2) / (d0 + d)    with d0 + d degrees of freedom,

w being the sum of the squares of its weights (2 for a difference of two cells). Where cells scatter alike, d0
is infinite, and the variance is that pooled over all cells; where they really differ, d0 is small, and each
contrast is judged by its own seeds. The degrees of freedom are never more than all cells have together, which
is what limma does with them (Ritchie et al. 2015).

limma fits thousands of genes, a task has a dozen cells, so two cautions are added. A contrast that scatters
more than the moderated variance keeps its own (the maximum of both, as in Anders and Huber 2010). And the
variance of the logarithms is taken a quarter of its standard error higher than it came out, for few cells
seem to scatter alike by chance. `tests/bench/statistics_honest.py` has the rates of false claims where the
standard deviations of the cells' seeds go from 0.5 to 5 points.

What a seed does to all cells alike cancels from every difference, so it is taken out first: the variance of a
cell is that of the residual of cells and seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import digamma, polygamma

from orchestrator.report.statistics.arrays import GRAIN, Floats
from orchestrator.report.statistics.replicates import Replicates

_LEAST = 1e-5  # of the median: a variance below it is taken for it, as limma does
_CAUTION = 0.25  # standard errors


class Prior(NamedTuple):
    """Of the variance of one seed's score. `pooled`: degrees of freedom of all cells together."""

    variance: float
    freedom: float
    pooled: float

    def moderate(self, variance: float, freedom: float, weight: float) -> tuple[float, float]:
        """Return variance and degrees of freedom of a contrast whose squared weights add up to `weight`."""
        total = max(min(self.freedom + freedom, self.pooled), freedom)
        moderated = weight * self.variance
        if math.isfinite(self.freedom):
            moderated = (self.freedom * moderated + freedom * variance) / (self.freedom + freedom)
        return max(moderated, variance), total


def prior_of(cells: Sequence[Replicates]) -> Prior | None:
    """Of cells that are compared with each other, those left out that have failed seeds: their scores are in
    two heaps. None unless two share seeds, and their seeds scatter."""
    several = [cell for cell in cells if len(cell.seeds) > 1 and not cell.failed]
    if len(several) < 2:
        return None
    variances, freedom = _residual(several)
    usable = freedom > 0.05
    variances, freedom = variances[usable], freedom[usable]
    if len(variances) < 2 or math.sqrt(float(np.median(variances))) < GRAIN:
        return None
    return _fitted(variances, freedom)


def prior_of_means(cells: Sequence[Replicates]) -> Prior | None:
    """Of the variance of a seed's score around its cell's mean, with what a seed does to all cells alike: for
    intervals of single cells. Cells with failed seeds are left out, as in `prior_of`. None unless two others
    have several seeds, and these scatter.

    The degrees of freedom of all cells together are Satterthwaite's: of the common part only those of the
    seeds, however many cells there are."""
    several = [cell for cell in cells if len(cell.seeds) > 1 and not cell.failed]
    variances = np.array([cell.quality.var(ddof=1) for cell in several])
    if len(several) < 2 or math.sqrt(float(np.median(variances))) < GRAIN:
        return None
    freedom = np.array([len(cell.seeds) - 1.0 for cell in several])
    fitted = _fitted(variances, freedom)
    return fitted._replace(pooled=_freedom_of_all(several, fitted.pooled))


def _freedom_of_all(cells: Sequence[Replicates], independent: float) -> float:
    """`independent`: if seeds did nothing to all cells alike, which is assumed where they share fewer than
    two. Of the mean variance over the cells, made of the mean squares of seeds and residual."""
    shared = sorted(set.intersection(*(set(cell.seeds) for cell in cells)))
    if len(shared) < 2:
        return independent
    scores = np.stack([cell.of(shared) for cell in cells])
    number, k = scores.shape
    scores = scores - scores.mean(axis=1, keepdims=True)
    common = scores.mean(axis=0)
    by_seed = float((common**2).sum()) / (k - 1)
    rest = float(((scores - common) ** 2).sum()) / ((k - 1) * number)
    if by_seed + rest <= 0:
        return independent
    freedom = (by_seed + rest) ** 2 / (by_seed**2 / (k - 1) + rest**2 / ((k - 1) * (number - 1)))
    return float(min(freedom, independent))


def _residual(cells: Sequence[Replicates]) -> tuple[Floats, Floats]:
    """Return the variance of each cell's scores without cells and seeds, and its degrees of freedom: what the
    cell's own mean and its part in the effects of the seeds leave."""
    seeds = sorted({seed for cell in cells for seed in cell.seeds})
    owner = np.repeat(np.arange(len(cells)), [len(cell.seeds) for cell in cells])
    scores = np.concatenate([cell.quality - cell.quality.mean() for cell in cells])
    effects = np.array([[seed == other for other in seeds] for cell in cells for seed in cell.seeds], float)
    sizes = np.bincount(owner)
    centre = np.stack([np.bincount(owner, weights=column) for column in effects.T], axis=1) / sizes[:, None]
    basis = _basis(effects - centre[owner])
    residual = scores - basis @ (basis.T @ scores)
    squares = np.bincount(owner, weights=residual**2)
    freedom = np.asarray(sizes - 1 - np.bincount(owner, weights=(basis**2).sum(axis=1)), dtype=np.float64)
    return squares / np.maximum(freedom, GRAIN), freedom


def _basis(columns: Floats) -> Floats:
    """Return an orthonormal basis of the space that the columns span."""
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    basis: Floats = left[:, sizes > GRAIN * max(sizes[0], 1.0)]
    return basis


def _fitted(variances: Floats, freedom: Floats) -> Prior:
    pooled = float(freedom.sum())
    floored = np.maximum(variances, _LEAST * float(np.median(variances)))
    logs = np.log(floored) - digamma(freedom / 2) + np.log(freedom / 2)
    sampling = polygamma(1, freedom / 2)
    error = math.sqrt(float(polygamma(3, freedom / 2).mean() + 2 * (sampling**2).mean()) / (len(logs) - 1))
    beyond = float(logs.var(ddof=1) - sampling.mean()) + _CAUTION * error
    if beyond <= 0:
        return Prior(float((freedom * variances).sum()) / pooled, math.inf, pooled)
    half = _inverse_trigamma(beyond)
    scale = math.exp(float(logs.mean()) + float(digamma(half)) - math.log(half))
    return Prior(scale, 2 * half, pooled)


def _inverse_trigamma(value: float) -> float:
    from scipy.optimize import brentq  # takes a third of a second to import

    return float(brentq(lambda at: float(polygamma(1, at)) - value, 1e-8, 1e9, xtol=1e-12, rtol=1e-10))
