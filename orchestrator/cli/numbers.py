"""How figures are said on the console."""

from __future__ import annotations


def quantity(count: int, noun: str) -> str:
    """`1 trial`, `3 trials`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def figure(value: float, digits: int = 3) -> str:
    """So many significant digits, never as a power of ten: `0.00123`, `12.3`, `3,050`."""
    if abs(value) >= 10**digits - 0.5:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return f"{value:.8f}".rstrip("0").rstrip(".") if "e" in text else text


def amount(value: float) -> str:
    """Of money: to the hundredth from 1 on, below it two significant digits."""
    return f"{value:,.2f}" if abs(value) >= 1 else figure(value, 2)


def gibibytes(count: float) -> str:
    """`0.5 GiB`."""
    return f"{count / 2**30:.2g} GiB" if count < 10 * 2**30 else f"{count / 2**30:.0f} GiB"


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h 5 min`: as exact as an estimate can be."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60:,} h {minutes % 60} min"
