"""Figures of all kinds as words: how likely, how large, how much. Missing is a dash."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.report.analysis.claim_text import SetVerdict
from orchestrator.report.analysis.claims import Claim, ClaimFamily
from orchestrator.report.analysis.distillation import StudentTeacherPair
from orchestrator.report.analysis.objectives import Objective
from orchestrator.report.analysis.ownership import Ownership
from orchestrator.report.results.point import Point
from orchestrator.units import MISSING, byte_size, hours, percentage, rounded, short_count

LEGEND = "◆ on the frontier with a probability of 90 % or more; ◇ open: 10 to 90 %, or one seed only"
COLUMNS = (
    "quality: the metric of the task; a run: the time of one training run, which is its cost; "
    "trained: how many weights change"
)
SURE = 0.9  # from this probability on a point is drawn as one of the frontier, below 1 - it as none


def frontier_marker(point: Point) -> str:
    """◆ on the frontier, ◇ open, nothing for a point that is not on it."""
    chance = point.frontier_probability
    if chance is not None and chance >= SURE:
        return "◆"
    return "◇" if point.frontier or (chance is not None and chance > 1 - SURE) else ""


def probability_text(probability: float | None) -> str:
    """Return the frontier probability for a hover text; empty where there is none."""
    return "" if probability is None else f"on the frontier with {percentage(probability)}"


def claim_verdict(claim: Claim | None) -> str:
    """Return the result of the paired test."""
    if claim is not None and claim.by_best_set is SetVerdict.WORSE and not claim.distinguishable:
        return "shown by the set of the best"
    if claim is None or claim.distinguishable is None:
        return "not testable"
    return "distinguishable" if claim.distinguishable else "not distinguishable"


def pair_verdict(pair: StudentTeacherPair, claims: Sequence[ClaimFamily]) -> str:
    """Return the result of the family that compares students with their teachers: there is one per pair."""
    both = {f"{pair.student}/{pair.method}", f"{pair.teacher}/{pair.method}"}
    families = [f for f in claims if f.name == "teachers" and f.comparison == pair.comparison]
    return claim_verdict(next((c for f in families for c in f.claims if {c.better, c.worse} == both), None))


def measurement_text(value: float | None, objective: Objective) -> str:
    """Return a value of an objective with its unit."""
    if value is None:
        return MISSING
    if objective is Objective.QUALITY:
        return f"{value:.3f}"
    if objective is Objective.DEVICE_HOURS:
        return hours(value)
    if objective in (Objective.PEAK_MEMORY, Objective.STORED_BYTES):
        return byte_size(value)
    return short_count(round(value)) if objective is Objective.TRAINABLE_PARAMETERS else rounded(value)


def estimate_reasons(rows: Sequence[Ownership]) -> list[str]:
    """Say why amounts of these rows are estimates or missing: each reason once."""
    reasons: dict[str, None] = {}
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
                reasons[f"{amount.source.value.capitalize()}: {amount.why}."] = None
    return list(reasons)
