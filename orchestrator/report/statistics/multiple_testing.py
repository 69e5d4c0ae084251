"""P-values adjusted for the number of comparisons: Holm (1979), A simple sequentially rejective multiple test
procedure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float | None], size: int) -> list[float | None]:
    """Adjust the p-values over `size` comparisons; missing ones count as 1. None stays None."""
    measured = np.array([p for p in p_values if p is not None])
    if not measured.size:
        return list(p_values)
    order = np.argsort(measured, kind="stable")
    comparisons_left = max(size, measured.size) - np.arange(measured.size)
    adjusted = np.empty_like(measured)
    adjusted[order] = np.minimum(np.maximum.accumulate(measured[order] * comparisons_left), 1.0)
    values = iter(adjusted.tolist())
    return [None if p is None else next(values) for p in p_values]
