"""Kubernetes' quantities: `500m`, `24Gi`, `1e3`."""

from __future__ import annotations

import re
from decimal import Decimal

_SUFFIXES = {"n": "1e-9", "u": "1e-6", "m": "1e-3", "": "1", "k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12"}
_SUFFIXES |= {"P": "1e15", "E": "1e18"}
_FACTORS = {suffix: Decimal(value) for suffix, value in _SUFFIXES.items()}
_FACTORS |= {
    suffix: Decimal(2) ** (10 * power) for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)
}
_PATTERN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")


def parse_quantity(value: object) -> Decimal | None:
    """Parse a quantity; return None if it is none."""
    parsed = _PATTERN.fullmatch(str(value))
    if parsed is None or isinstance(value, bool):
        return None
    number, exponent, suffix = parsed.groups()
    return Decimal(number) * (Decimal(10) ** int(exponent) if exponent else _FACTORS[suffix or ""])
