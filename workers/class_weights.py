"""Weights of the classes in the loss of training, for data in which some are rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight


def balanced_weights(labels: Sequence[Any], classes: int) -> NDArray[np.float32]:
    """Return (classes,) weights: rows / (classes that occur x rows of the class), as scikit-learn's
    `balanced`. Their mean over the rows is 1. A class without a row has weight 1, which nothing uses.

    `labels` holds the class id of each training example.
    """
    weights = np.ones(classes, dtype=np.float32)
    occurring = np.unique(labels)
    weights[occurring] = compute_class_weight("balanced", classes=occurring, y=np.asarray(labels))
    return weights
