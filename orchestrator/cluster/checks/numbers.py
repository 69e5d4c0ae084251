"""Numbers of a manifest that may be anything."""

from __future__ import annotations


def number_or_zero(value: object) -> float:
    """Return 0 for what is no number: the schema reports that."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
