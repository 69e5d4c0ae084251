"""The probability of being on the frontier: how often a point is, when seeds and documents are drawn anew.

Drawn are the means of the points. Quality moves with its seeds as the t-distribution that its interval is
made of, and with the documents as their contributions do, all points on the same draw of documents (a
multiplier bootstrap: each document has a normal weight). Cost moves with its seeds on a logarithmic scale.
The t-distribution stands for resampling because two to five seeds, resampled, give too little scatter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orchestrator.report.comparing import Estimate, estimate
from orchestrator.report.replicates import Replicates

Floats = NDArray[np.float64]
DRAWS = 1000
_FURTHEST = 50.0  # of a logarithm: one more is a cost of infinity to a float


def generator(*names: str) -> np.random.Generator:
    """The same names give the same draws: the same ledger gives the same report."""
    digest = hashlib.sha256("\n".join(names).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8]))


def quality_draws(group: Sequence[Replicates], random: np.random.Generator) -> Floats:
    """[DRAWS, points]."""
    found = np.stack([_moved(r.quality, random) for r in group], axis=1)
    sets = sorted({r.test_set for r in group if r.test_set is not None})
    for test_set in sets:
        there = [index for index, r in enumerate(group) if r.test_set == test_set]
        found[:, there] += _by_documents([group[index] for index in there], random)
    return found


def cost_draws(group: Sequence[Replicates], random: np.random.Generator) -> Floats:
    """Device-hours: [DRAWS, points]."""
    drawn = []
    for r in group:
        mean = float(r.device_hours.mean())
        relative = r.device_hours / mean if mean > 0 else np.ones(len(r.seeds))
        drawn.append(mean * np.exp(np.clip(_moved(relative, random) - 1.0, -_FURTHEST, _FURTHEST)))
    return np.stack(drawn, axis=1)


def _moved(values: Floats, random: np.random.Generator) -> Floats:
    """The mean of `values` with other seeds."""
    k, mean = len(values), float(values.mean())
    if k < 2:
        return np.full(DRAWS, mean)
    moved: Floats = mean + random.standard_t(k - 1, DRAWS) * float(values.std(ddof=1)) / np.sqrt(k)
    return moved


def _by_documents(group: Sequence[Replicates], random: np.random.Generator) -> Floats:
    """What other documents add to the means: [DRAWS, points]. Of many documents only the triangle of their
    decomposition is needed: its product with normal weights has the same distribution."""
    parts = [r.parts for r in group if r.parts is not None]
    over_seeds = np.stack([part.mean(axis=0) for part in parts], axis=1)
    n = len(over_seeds)
    if n < 2:
        return np.zeros((DRAWS, len(group)))
    shares = [_share(estimate(r.quality, r.parts), part) for r, part in zip(group, parts, strict=True)]
    centred = (over_seeds - over_seeds.mean(axis=0)) * np.sqrt(shares) / np.sqrt(n * (n - 1))
    if n > len(group):
        centred = np.linalg.qr(centred, mode="r")
    moved: Floats = random.standard_normal((DRAWS, len(centred))) @ centred
    return moved


def _share(found: Estimate, part: Floats) -> float:
    """Of the variance of the documents' means, what is not seeds and documents mixed."""
    if found.seeds < 2:
        return 1.0
    whole = float(part.mean(axis=0).var(ddof=1)) / part.shape[1]
    return found.document_error**2 / whole if whole > 0 else 0.0


def on_frontier_rows(costs: Floats, quality: Floats) -> NDArray[np.bool_]:
    """The frontier of each row of [draws, points]: what no other one of its row beats on both; ties stay."""
    rows = np.arange(len(costs))[:, None]
    order = np.lexsort((-quality, costs), axis=1)
    cost, good = costs[rows, order], quality[rows, order]
    best_before = np.maximum.accumulate(good, axis=1)
    best_before = np.concatenate([np.full((len(good), 1), -np.inf), best_before[:, :-1]], axis=1)
    starts = np.concatenate([np.ones((len(cost), 1), dtype=bool), cost[:, 1:] != cost[:, :-1]], axis=1)
    first = np.maximum.accumulate(np.where(starts, np.arange(cost.shape[1]), 0), axis=1)
    above = good > best_before
    on = above[rows, first] & (good == good[rows, first])
    found = np.zeros(costs.shape, dtype=bool)
    found[rows, order] = on
    return found
