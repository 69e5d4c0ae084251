"""Scores and costs as they may truly be, given all cells: what probabilities are counted from.

A measured score is the true one and an error, so a draw around the measured score errs twice, and the cells
that scored high by luck are drawn high again. The true scores are therefore drawn from what the cells have in
common (empirical Bayes; Efron and Morris 1975): they lie around a line on the logarithm of the cost, with a
scatter of their own,

    score = level + slope x log cost + N(0, spread^2),    measured = score + error.

Level is free. Spread, and the size of the slope, are not estimated but summed over: each may be anything up
to twice what the measured scores scatter, and with the probability one half there is no slope. The errors are
those of seeds, moderated over the cells and without what a seed does to all of them alike, which changes no
order; with folds those of training parts that overlap, as `paired` has them; and those of documents, which
cells share.

Costs are drawn on a logarithmic scale around what was measured, with the moderated scatter of their seeds.
Nothing brings costs together that are nearly equal, so of two such cells either may come out the cheaper.

Only cells that the measured figures leave in doubt are looked at: another cell far behind changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from orchestrator.report.statistics.arrays import Floats
from orchestrator.report.statistics.moderation import Prior, prior_of
from orchestrator.report.statistics.replicates import Replicates

_SPREADS = np.geomspace(0.03, 2.0, 16)  # of what the scores scatter
_SLOPES = np.geomspace(0.05, 2.0, 10)
_LEAST = 1e-12  # a variance below it is rounding


def scores(cells: Sequence[Replicates], costs: Floats, draws: int, random: np.random.Generator) -> Floats:
    """Draw true scores: [draws, cells]. `costs` holds the measured cost of each cell."""
    measured = np.array([cell.mean for cell in cells])
    errors, basis = np.linalg.eigh(_errors(cells))
    errors = np.maximum(errors, _LEAST)
    level, slope = basis.T @ np.ones(len(cells)), basis.T @ _standardised(costs)
    model = _Model(basis.T @ measured, errors, level, slope, max(float(measured.std()), _LEAST))
    fits = model.fits()
    weights = np.exp(np.array([fit.log_weight for fit in fits]) - max(fit.log_weight for fit in fits))
    counts = random.multinomial(draws, weights / weights.sum())
    drawn = [model.draw(fit, int(count), random) for fit, count in zip(fits, counts, strict=True) if count]
    true_scores: Floats = np.concatenate(drawn) @ basis.T
    return true_scores


def factors(cells: Sequence[Replicates], draws: int, random: np.random.Generator) -> Floats:
    """Draw the factors of device-hours: [draws, cells]."""
    if not all((cell.device_hours > 0).all() for cell in cells):
        return np.ones((draws, len(cells)))
    logs = [replace(cell, quality=np.log(cell.device_hours)) for cell in cells]
    prior = prior_of(logs)
    columns = []
    for cell in logs:
        variance, freedom = _moderated(cell, prior)
        columns.append(np.sqrt(variance / len(cell.seeds)) * random.standard_t(max(freedom, 1.0), draws))
    drawn: Floats = np.exp(np.clip(np.stack(columns, axis=1), -50.0, 50.0))
    return drawn


def _moderated(cell: Replicates, prior: Prior | None) -> tuple[float, float]:
    k = len(cell.seeds)
    own = float(cell.quality.var(ddof=1)) if k > 1 else 0.0
    return (own, k - 1.0) if prior is None else prior.moderate(own, k - 1.0, 1.0)


def _standardised(costs: Floats) -> Floats:
    """Return the position of each cell on the line: its centred and scaled logarithm, 0 where a cost is 0 or
    all are alike."""
    if (costs <= 0).any():
        return np.zeros(len(costs))
    logs = np.log(costs)
    spread = float(logs.std())
    places: Floats = (logs - logs.mean()) / spread if spread > 1e-9 else np.zeros(len(costs))
    return places


def _errors(cells: Sequence[Replicates]) -> Floats:
    """Return the covariance of the measured scores: of seeds and folds on the diagonal, of documents between
    all cells that share them."""
    prior = prior_of(cells)
    covariance = np.diag(
        [_moderated(cell, prior)[0] * (1 / len(cell.seeds) + cell.overlap) for cell in cells]
    )
    for test_set in sorted({cell.test_set for cell in cells if cell.test_set is not None}):
        columns = [index for index, cell in enumerate(cells) if cell.test_set == test_set]
        moves = document_shifts([cells[index] for index in columns])
        covariance[np.ix_(columns, columns)] += moves.T @ moves
    return covariance


def document_shifts(group: Sequence[Replicates]) -> Floats:
    """[documents, cells]: by how much each document moves the means, were it to have another weight; the sum
    of the squares is the variance. Of cells of one test part."""
    means = [cell.over_seeds for cell in group if cell.over_seeds is not None]
    n = len(means[0])
    if n < 2:
        return np.zeros((1, len(group)))
    over_seeds = np.stack(means, axis=1)
    shares = [_share(cell, mean) for cell, mean in zip(group, means, strict=True)]
    moves: Floats = (over_seeds - over_seeds.mean(axis=0)) * np.sqrt(shares) / np.sqrt(n * (n - 1))
    return moves


def _share(cell: Replicates, mean: Floats) -> float:
    """Return the share of the variance of the documents' means that is not mixed with seeds."""
    if len(cell.seeds) < 2:
        return 1.0
    total = float(mean.var(ddof=1)) / len(mean)
    return cell.document_variance / total if total > 0 else 0.0


class _Fit(NamedTuple):
    """Level and slope, given the two sizes. `inverse`: of their precision."""

    log_weight: float
    spread: float
    centre: Floats
    inverse: Floats


class _Model(NamedTuple):
    """In the basis in which the errors are independent."""

    measured: Floats
    errors: Floats
    level: Floats
    slope: Floats
    scale: float

    def fits(self) -> list[_Fit]:
        """Of all pairs of sizes, weighed by how well they explain what was measured. A size that may be
        anything has the same density everywhere, so the weight of each is its share of the range."""
        by_spread, by_slope = np.gradient(_SPREADS), np.gradient(_SLOPES)
        slopes = [(0.0, 0.5), *zip(self.scale * _SLOPES, 0.5 * by_slope / by_slope.sum(), strict=True)]
        if not self.slope.any():
            slopes = [(0.0, 1.0)]
        return [
            fit
            for spread, width in zip(_SPREADS, by_spread, strict=True)
            for fit in self._given(
                float(self.scale * spread), [(float(s), float(np.log(width * share))) for s, share in slopes]
            )
        ]

    def _given(self, spread: float, slopes: Sequence[tuple[float, float]]) -> list[_Fit]:
        """The likelihood of the measured scores, level and slope integrated out, for each size of slope."""
        precision = 1 / (self.errors + spread**2)
        columns = np.stack([self.level, self.slope], axis=1)
        information, weighted = (
            columns.T @ (precision[:, None] * columns),
            columns.T @ (precision * self.measured),
        )
        explained = 0.5 * (float(np.log(precision).sum()) - float((precision * self.measured**2).sum()))
        fits = []
        for size, log_prior in slopes:
            inverse = _inverse(information, size)
            centre = inverse @ weighted
            # The determinant of the precision, times the square of the size.
            determinant = float(information[0, 0]) if not size else size**2 / float(np.linalg.det(inverse))
            log_weight = log_prior + explained + 0.5 * (float(centre @ weighted) - float(np.log(determinant)))
            fits.append(_Fit(log_weight, spread, centre, inverse))
        return fits

    def draw(self, fit: _Fit, count: int, random: np.random.Generator) -> Floats:
        """Draw [count, cells] in this basis."""
        root = np.linalg.cholesky(fit.inverse + _LEAST**2 * np.eye(2))
        coefficients = fit.centre + random.standard_normal((count, 2)) @ root.T
        line = coefficients @ np.stack([self.level, self.slope])
        share = fit.spread**2 / (self.errors + fit.spread**2)
        around = random.standard_normal((count, len(self.errors))) * np.sqrt(share * self.errors)
        drawn: Floats = line + share * (self.measured - line) + around
        return drawn


def _inverse(information: Floats, size: float) -> Floats:
    """Invert the precision of level and slope, where the slope is about `size`; there is no slope at 0."""
    if not size:
        return np.array([[1 / float(information[0, 0]), 0.0], [0.0, 0.0]])
    inverse: Floats = np.asarray(np.linalg.inv(information + np.diag([0.0, 1 / size**2])), dtype=np.float64)
    return inverse
