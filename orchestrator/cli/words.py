"""How figures are said on the console."""

from __future__ import annotations


def quantity(count: int, noun: str) -> str:
    """`1 trial`, `3 trials`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def gibibytes(count: float) -> str:
    """`0.5 GiB`."""
    return f"{count / 2**30:.2g} GiB" if count < 10 * 2**30 else f"{count / 2**30:.0f} GiB"


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h 5 min`: as exact as an estimate can be."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
