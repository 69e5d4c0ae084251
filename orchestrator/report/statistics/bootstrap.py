"""The probability of being on the frontier: how often a point is, when seeds and documents are drawn again.

Two kinds of draws. `draws` move the measured means: quality with its seeds as the t-distribution that its
interval is made of (with folds wider by what training parts that overlap share), and with the documents as
their contributions do, all points on the same draw of documents (a multiplier bootstrap: each document has a
normal weight); cost with its seeds on a logarithmic scale. The t-distribution is used in place of resampling
because two to five seeds, resampled, give too little scatter. One seed says nothing about scatter: it is
taken to move as the seeds of the other cells do, pooled over them. Intervals of means over tasks and of
hypervolumes are made of these.

They err twice, so a probability counted from them is too sure where cells are nearly equal. `chances` counts
from true scores and costs as they may be (`posterior`), of the points that the first kind leaves in doubt.

Each cell has a random generator of its own, and the documents one for all: so a further cell changes no
figure of another one that it does not beat.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from orchestrator.report.statistics.arrays import Floats
from orchestrator.report.statistics.posterior import document_shifts
from orchestrator.report.statistics.replicates import Replicates

DRAWS = 1000
_FURTHEST = 50.0  # of a logarithm: one more is a cost of infinity to a float
_BLOCKS = 1000  # of documents: those of a block share a weight, so that many documents cost no more
_AT_ONCE = 250  # draws


class Draws(NamedTuple):
    """[DRAWS, points], by their `names`. `hours`: what device-hours are multiplied by."""

    place: str
    names: tuple[str, ...]
    quality: Floats
    hours: Floats

    def of(self, names: Sequence[str]) -> Draws:
        places = {name: place for place, name in enumerate(self.names)}
        columns = [places[name] for name in names]
        return Draws(self.place, tuple(names), self.quality[:, columns], self.hours[:, columns])


def draws(comparison: str, group: Sequence[Replicates]) -> Draws:
    """Draw the means of cells that are compared in one `comparison`. The same names and results give the same
    draws."""
    spread = _pooled([r.quality for r in group])
    relative = [_relative(r.device_hours) for r in group]
    cost_spread = _pooled(relative)
    quality, hours = [], []
    for r, cost in zip(group, relative, strict=True):
        random = generator(comparison, r.name)
        quality.append(_moved(r.quality, spread, random, r.overlap))
        moved = _moved(cost, cost_spread, random) - 1.0
        hours.append(np.exp(np.clip(moved, -_FURTHEST, _FURTHEST)))
    moved_quality = np.stack(quality, axis=1)
    for test_set in sorted({r.test_set for r in group if r.test_set is not None}):
        columns = [index for index, r in enumerate(group) if r.test_set == test_set]
        moved_quality[:, columns] += _by_documents(
            [group[index] for index in columns], generator(comparison, test_set)
        )
    return Draws(comparison, tuple(r.name for r in group), moved_quality, np.stack(hours, axis=1))


def generator(*names: str) -> np.random.Generator:
    digest = hashlib.sha256("\n".join(names).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8]))


def _relative(hours: Floats) -> Floats:
    """Return the hours of the seeds that have any over their mean; ones where none has."""
    finite = hours[np.isfinite(hours)]
    mean = float(finite.mean()) if len(finite) else 0.0
    return finite / mean if mean > 0 else np.ones(len(hours))


def _pooled(values: Sequence[Floats]) -> tuple[float, int]:
    """Return the standard deviation over seeds within the cells that have several, and its degrees of
    freedom."""
    several = [v for v in values if len(v) > 1]
    freedom = sum(len(v) - 1 for v in several)
    if not freedom:
        return 0.0, 1
    return math.sqrt(math.fsum(float(v.var()) * len(v) for v in several) / freedom), freedom


def _moved(
    values: Floats, pooled: tuple[float, int], random: np.random.Generator, overlap: float = 0.0
) -> Floats:
    """Draw the mean of `values` with other seeds. `overlap`: see `Replicates.overlap`."""
    k = len(values)
    spread, freedom = pooled if k < 2 else (float(values.std(ddof=1)), k - 1)
    moved: Floats = float(values.mean()) + random.standard_t(freedom, DRAWS) * spread * np.sqrt(
        1 / k + overlap
    )
    return moved


def _by_documents(group: Sequence[Replicates], random: np.random.Generator) -> Floats:
    """Draw what other documents add to the means: [DRAWS, points]."""
    moves = document_shifts(group)
    if len(moves) > _BLOCKS:
        places = np.linspace(0, len(moves), _BLOCKS, endpoint=False).astype(int)
        moves = np.add.reduceat(moves, places, axis=0)
    blocks = [random.standard_normal((_AT_ONCE, len(moves))) @ moves for _ in range(DRAWS // _AT_ONCE)]
    return np.concatenate(blocks)
