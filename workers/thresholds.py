"""The probability from which a multilabel model gives a label: one for all labels, chosen on dev."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from orchestrator.contracts.metrics import MetricName

Floats = NDArray[np.float64]


def probabilities(logits: NDArray[np.floating[Any]]) -> Floats:
    """Return the probability of each label, of any shape, in double precision."""
    shares: Floats = expit(logits.astype(np.float64))
    return shares


def best_threshold(metric: MetricName, gold: NDArray[np.bool_], shares: Floats) -> float:
    """Return the threshold of the highest macro F1 where that is `metric`, else of the highest micro F1, in
    the middle between two scores. Of equals the highest.

    `gold` and `shares`: (examples, labels). One half where no label is given, or a score is not finite.
    """
    if not gold.any() or not np.isfinite(shares).all():
        return 0.5
    order = np.argsort(-shares, axis=None, kind="stable")
    ranked, right = shares.ravel()[order], gold.ravel()[order]
    if metric is MetricName.MACRO_F1:
        values = _macro_f1(gold.sum(axis=0), order % gold.shape[1], right)
    else:
        values = 2 * np.cumsum(right) / (np.arange(1, len(right) + 1) + right.sum())
    following = np.append(ranked[1:], 0.0)
    values[ranked == following] = -1.0  # equal scores are above a threshold together
    best = int(values.argmax())
    return float((ranked[best] + following[best]) / 2)


def _macro_f1(
    sizes: NDArray[np.integer[Any]], labels: NDArray[np.integer[Any]], right: NDArray[np.bool_]
) -> Floats:
    """Return the mean F1 of the labels that occur once the first k pairs of an example and a label are given,
    for each k. `sizes`: examples of each label; `labels` and `right`: of each pair, the likeliest first."""
    places = np.argsort(labels, kind="stable").reshape(len(sizes), -1)  # of each label's pairs
    found = np.cumsum(right[places], axis=1)
    values = 2 * found / (np.arange(1, places.shape[1] + 1) + sizes[:, None])
    gains, joining = np.zeros(len(labels)), np.zeros(len(labels))
    gains[places] = np.diff(values, prepend=0.0, axis=1)
    joining[places[sizes == 0, 0]] = 1  # a label without an example counts from the first one it is given to
    means: Floats = np.cumsum(gains) / (np.count_nonzero(sizes) + np.cumsum(joining))
    return means
