"""Numbers and their units as text, on the console and in the report. A missing number is a dash."""

from __future__ import annotations

import math
from collections.abc import Sequence

MISSING = "–"
_BYTE_PREFIXES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_COUNT_SUFFIXES = ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k"))
_LEAST_P = 0.001


def quantity(count: int, noun: str) -> str:
    """Return `1 trial` or `3 trials`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def named_list(names: Sequence[str], most: int) -> str:
    """Return `a, b and 3 more`: at most `most` names, and one more where that is all."""
    rest = len(names) - most
    return ", ".join(names) if rest < 2 else f"{', '.join(names[:most])} and {rest} more"


def rounded(value: float | None, digits: int = 3) -> str:
    """Round to significant digits, never as a power of ten: `0.00123`, `12.3`, `3,050`."""
    if value is None:
        return MISSING
    if abs(value) >= 10**digits - 0.5:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return f"{value:.8f}".rstrip("0").rstrip(".") if "e" in text else text


def rounded_up(value: float) -> str:
    """Round a limit, of a millionth or more, up to two significant digits: what it limits keeps it."""
    digits = 1 - math.floor(math.log10(value))
    return rounded(math.ceil(value * 10**digits) / 10**digits, 2)


def amount(value: float) -> str:
    """Return money with cents from 1 on, below it with two significant digits."""
    return f"{value:,.2f}" if abs(value) >= 1 else rounded(value, 2)


def plain_number(value: float) -> str:
    """Return a setting as a user writes it: `8`, `0.5`, `3e-05`, `4,096`."""
    return f"{value:,.0f}" if value >= 1 and value == int(value) else f"{value:g}"


def short_count(value: int | None) -> str:
    """Return `4.4M`, `12.3k` or `870`."""
    if value is None:
        return MISSING
    for size, suffix in _COUNT_SUFFIXES:
        if value >= size:
            return f"{value / size:.1f}{suffix}"
    return str(value)


def count_range(ends: tuple[int, int]) -> str:
    """Return `16`, or `3,520 to 4,096`."""
    low, high = ends
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def gibibytes(count: float) -> str:
    """Return `0.5 GiB`."""
    return f"{count / 2**30:.2g} GiB" if count < 10 * 2**30 else f"{count / 2**30:.0f} GiB"


def byte_size(count: float | None) -> str:
    """Return `12.3 MiB`, in the largest unit that fits."""
    if count is None:
        return MISSING
    for size, unit in _BYTE_PREFIXES:
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float) -> str:
    """Return `40 s`, `3 min` or `2 h 5 min`: as exact as a forecast can be."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60:,} h {minutes % 60} min"


def hours(value: float | None) -> str:
    """Round hours to two significant digits, never as a power of ten."""
    if value is None:
        return MISSING
    if value >= 100:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    text = f"{value:.2g}"
    return f"{value:.6f}" if "e" in text else text


def time_of_hours(value: float | None) -> str:
    """Return `0.35 s`, `28 s`, `3.4 min` or `2.1 h`: two significant digits."""
    if value is None:
        return MISSING
    seconds = 3600 * value
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size * 0.995:
            return f"{hours(seconds / size)} {unit}"
    return f"{hours(seconds)} s"


def device_time(value: float | None, unit: str) -> str:
    """Return `28 s on one core`. `unit` is core-hours, GPU-hours or device-hours."""
    return MISSING if value is None else f"{time_of_hours(value)} {on_one_device(unit)}"


def on_one_device(unit: str) -> str:
    """Return `on one core` for core-hours."""
    return f"on one {unit.removesuffix('-hours')}"


def interval_ends(interval: tuple[float, float] | None, digits: int = 3) -> str:
    """Return `0.795 to 0.829`."""
    if interval is None:
        return MISSING
    low, high = interval
    return f"{low:.{digits}f} to {high:.{digits}f}"


def signed(value: float | None) -> str:
    """Return `+0.012` or `-0.003`."""
    return MISSING if value is None else f"{value:+.3f}"


def signed_ends(interval: tuple[float, float] | None) -> str:
    """Return `-0.003 to +0.012`."""
    return MISSING if interval is None else " to ".join(map(signed, interval))


def ratio(value: float | None) -> str:
    """Return `0.24 ×`."""
    return MISSING if value is None else f"{value:.2g} ×"


def signed_points(difference: float | None) -> str:
    """Return a difference of qualities in points, a hundredth each: `+1.2`."""
    return MISSING if difference is None else f"{difference * 100:+.1f}"


def points_range(interval: tuple[float, float] | None) -> str:
    """Return an interval of qualities in points: `0.3 to 2.1`."""
    return "none" if interval is None else f"{interval[0] * 100:.1f} to {interval[1] * 100:.1f}"


def percentage(probability: float | None) -> str:
    """Return `87 %`, or `> 99 %` and `< 1 %` near the ends, where 1,000 draws are too few to say more."""
    if probability is None:
        return MISSING
    if probability > 0.99:
        return "> 99 %"
    return "< 1 %" if probability < 0.01 else f"{probability * 100:.0f} %"


def p_value(value: float | None) -> str:
    """Return `0.012`, or `< 0.001`."""
    if value is None:
        return MISSING
    return f"< {_LEAST_P}" if value < _LEAST_P else f"{value:.3f}"
