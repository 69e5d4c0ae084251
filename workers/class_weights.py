"""Weights of the classes or labels in the loss of training, for data in which some are rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight

from workers.tasks import Encoded, LogitMeaning


def weights_of(train: Encoded, classes: int) -> NDArray[np.float32]:
    """Return the weights (classes,) that balance the training examples, as `losses.summed_loss` takes
    them."""
    if train.objective is LogitMeaning.ANY_OF:
        return label_weights(np.array(train.labels, dtype=np.float64))
    return balanced_weights(train.labels, classes)


def label_weights(given: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return for each label (examples without it) / (examples with it), so that both count alike; 1 where
    there are none of either. `given`: (examples, labels) of 0 and 1."""
    share = given.mean(axis=0)
    one_sided = (share == 0) | (share == 1)
    weights = np.where(one_sided, 1.0, (1 - share) / np.where(one_sided, 1.0, share))
    return weights.astype(np.float32)


def balanced_weights(labels: Sequence[Any], classes: int) -> NDArray[np.float32]:
    """Return (classes,) weights: rows / (classes that occur x rows of the class), as scikit-learn's
    `balanced`. Their mean over the rows is 1. A class without a row has weight 1, which nothing uses.

    `labels` holds the class id of each training example.
    """
    weights = np.ones(classes, dtype=np.float32)
    occurring = np.unique(labels)
    weights[occurring] = compute_class_weight("balanced", classes=occurring, y=np.asarray(labels))
    return weights
