"""Array types, and the size below which a difference is rounding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
GRAIN = 1e-9  # a smaller difference, standard deviation or standard error is rounding
