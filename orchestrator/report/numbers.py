"""Figures of all kinds as words: how likely, how large, how much. Missing is a dash."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report import text
from orchestrator.report.analysis.claims import Claim, ClaimFamily
from orchestrator.report.analysis.distillation import Pair
from orchestrator.report.analysis.objectives import Side
from orchestrator.report.analysis.ownership import Ownership
from orchestrator.report.results.point import Point

_PREFIXES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_LEAST_P = 0.001


def chance(probability: float | None) -> str:
    """`87 %`; `> 99 %` and `< 1 %` at the ends, where a resampling cannot tell more."""
    if probability is None:
        return text.MISSING
    if probability > 0.99:
        return "> 99 %"
    return "< 1 %" if probability < 0.01 else f"{probability * 100:.0f} %"


LEGEND = "◆ on the frontier with a probability of 90 % or more; ◇ open: 10 to 90 %, or one seed only"
SURE = 0.9  # from this probability on a point is drawn as one of the frontier, below 1 - it as none


def mark(point: Point) -> str:
    """◆ on the frontier, ◇ open, nothing for a point that is not on it."""
    chance = point.frontier_probability
    if chance is not None and chance >= SURE:
        return "◆"
    return "◇" if point.frontier or (chance is not None and chance > 1 - SURE) else ""


def place(probability: float | None) -> str:
    """For a hover text; empty where it cannot be said."""
    return "" if probability is None else f"on the frontier with {chance(probability)}"


def verdict(claim: Claim | None) -> str:
    """Of the paired test."""
    if claim is None or claim.told_apart is None:
        return "cannot be said"
    return "told apart" if claim.told_apart else "not told apart"


def verdict_of(pair: Pair, claims: Sequence[ClaimFamily]) -> str:
    """Of the family that compares students with their teachers: there is one verdict on a pair."""
    both = {f"{pair.student}/{pair.method}", f"{pair.teacher}/{pair.method}"}
    here = [f for f in claims if f.name == "teachers" and f.comparison == pair.comparison]
    return verdict(next((c for f in here for c in f.claims if {c.better, c.worse} == both), None))


def p_value(value: float | None) -> str:
    if value is None:
        return text.MISSING
    return f"< {_LEAST_P}" if value < _LEAST_P else f"{value:.3f}"


def size(count: float | None) -> str:
    """`12.3 MiB`."""
    if count is None:
        return text.MISSING
    for unit, name in _PREFIXES:
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:.0f} B"


def small(value: float | None) -> str:
    """Three significant digits, never as a power of ten: `0.00123`, `12.3`, `1,230`."""
    if value is None:
        return text.MISSING
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    short = f"{value:.3g}"
    return f"{value:.8f}".rstrip("0") if "e" in short else short


def measure(value: float | None, side: Side) -> str:
    """A figure of an axis, in its unit."""
    if value is None:
        return text.MISSING
    if side is Side.QUALITY:
        return f"{value:.3f}"
    if side is Side.DEVICE_HOURS:
        return text.hours(value)
    if side in (Side.PEAK_MEMORY, Side.STORED_BYTES):
        return size(value)
    return text.count(round(value)) if side is Side.TRAINABLE_PARAMETERS else small(value)


def reasons(rows: Sequence[Ownership]) -> list[str]:
    """Why amounts of these rows are estimates, or missing: each reason once."""
    found: dict[str, None] = {}
    for row in rows:
        amounts = (
            row.total,
            row.tuning,
            row.training,
            row.serving,
            row.errors,
            row.energy_kwh,
            row.carbon_kg,
        )
        for amount in amounts:
            if amount is not None and amount.why:
                found[f"{amount.source.value.capitalize()}: {amount.why}."] = None
    return list(found)


def points(difference: float | None) -> str:
    """A difference of qualities in points, a hundredth each: `+1.2`."""
    return text.MISSING if difference is None else f"{difference * 100:+.1f}"


def points_interval(interval: tuple[float, float] | None) -> str:
    return "none" if interval is None else f"{interval[0] * 100:.1f} to {interval[1] * 100:.1f}"
