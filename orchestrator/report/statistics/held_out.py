"""What a chosen cell scores on seeds and documents that had no part in choosing it.

The score that a cell was chosen by is too high: it was chosen for its luck as well. So each seed and each
fifth of the documents is left out in turn, a cell is chosen by all other seeds and documents, and scored on
those left out (cross-validation of the choice). The mean over all of these is the score of a cell chosen from
a little less, so it errs to the low side, if at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from orchestrator.report.statistics.arrays import Floats
from orchestrator.report.statistics.replicates import Replicates

_FOLDS = 5  # of documents, neighbours together, as those of a note or a patient are


def held_out_score(cells: Sequence[Replicates], choose: Callable[[Sequence[float]], int]) -> float | None:
    """`choose` takes the scores of `cells` in their order. None unless all have the same two seeds or more:
    else the mean would be over other seeds than the score beside it."""
    seeds = cells[0].seeds
    if len(seeds) < 2 or any(cell.seeds != seeds for cell in cells):
        return None
    sums, sizes = _folded(cells, seeds)
    folds = len(sizes)
    others = np.ones((folds, folds)) - np.eye(folds) if folds > 1 else np.ones((1, 1))
    without = sums @ others  # each fold's place has the sum of all others
    total, weight = 0.0, 0.0
    for seed in range(len(seeds)):
        by_others = (without.sum(axis=1) - without[:, seed]) / (sizes @ others) / (len(seeds) - 1)
        for fold in range(folds):
            total += float(sums[choose(by_others[:, fold].tolist()), seed, fold])
            weight += float(sizes[fold])
    return total / weight


def _folded(cells: Sequence[Replicates], seeds: Sequence[int]) -> tuple[Floats, Floats]:
    """The summed scores of each fold, [cells, seeds, folds], and the documents of each; a single fold unless
    all cells tell of the same documents."""
    sets = {cell.test_set for cell in cells}
    if len(sets) > 1 or None in sets:
        return np.stack([cell.of(seeds) for cell in cells])[:, :, None], np.ones(1)
    documents = cells[0].parts_of(seeds).shape[1]
    starts = np.linspace(0, documents, min(_FOLDS, documents), endpoint=False).astype(int)
    sizes = np.diff([*starts, documents]).astype(np.float64)
    return np.stack([np.add.reduceat(cell.parts_of(seeds), starts, axis=1) for cell in cells]), sizes
