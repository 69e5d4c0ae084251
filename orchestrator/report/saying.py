"""Claims and groups in plain sentences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from orchestrator.report.comparing import Estimate

TITLES = {
    "methods": "Methods against each other",
    "domains": "Domains of pretraining against each other",
    "models": "Models against each other",
    "frontier": "Steps along the frontier",
    "teachers": "Students against their teachers",
}
_OVER = {
    "methods": "models and domains",
    "domains": "models and methods",
    "models": "domains and methods",
}


class Scale(NamedTuple):
    """What a difference is told in: points, hundredths of a metric that goes from 0 to 1, or plain."""

    task: str
    points: bool

    def amount(self, value: float) -> str:
        return f"{100 * value:.1f}" if self.points else f"{value:.4f}"

    def with_unit(self, value: float) -> str:
        text = self.amount(value)
        if not self.points:
            return text
        return f"{text} point" if text == "1.0" else f"{text} points"


def claim(
    names: tuple[str, str],
    amount: float,
    interval: tuple[float, float] | None,
    adjusted: float | None,
    told_apart: bool | None,
    behind: tuple[Estimate, int],
    scale: Scale,
) -> str:
    """`lora-r8 beats ia3 on Triage by 1.2 points (95 % 0.3 to 2.1, 5 seeds, Holm-adjusted p = 0.012).`"""
    found, size = behind
    better, worse = names
    by = scale.with_unit(amount)
    if adjusted is None or (interval is None and amount > 0):
        return f"{better} scored {by} above {worse} on {scale.task}; {_why_not(found)}"
    if interval is None:
        return f"{better} and {worse} scored the same on {scale.task} ({_on(found)})."
    low, high = (scale.amount(end) for end in interval)
    details = f"95 % {low} to {high}, {_on(found)}, Holm-adjusted{_p(adjusted)}"
    details += f" over {size:,} comparisons" if size > 1 else ""
    if told_apart:
        return f"{better} beats {worse} on {scale.task} by {by} ({details})."
    return f"{better} and {worse} cannot be told apart on {scale.task}: {by} between them ({details})."


def _p(value: float) -> str:
    return " p < 0.001" if value < 0.001 else f" p = {value:.3f}" if value < 0.1 else f" p = {value:.2f}"


def _on(found: Estimate) -> str:
    seeds = f"{found.seeds} seeds"
    return seeds if found.documents is None else f"{seeds}, {found.documents:,} test documents"


def _why_not(found: Estimate) -> str:
    if found.seeds == 0:
        return "they share no seed, so nothing is claimed."
    if found.seeds == 1:
        return "n = 1 seed gives no interval, so nothing is claimed."
    return f"the {found.seeds} seeds agree to the last digit, so there is no scatter to judge it by."


def over(name: str, counts: Collection[int]) -> tuple[str, ...]:
    """Of what the means of a family are made."""
    low, high = min(counts), max(counts)
    number = str(low) if low == high else f"{low} to {high}"
    rest = _OVER[name]
    combined = f"combination of {rest}" if number == "1" else f"combinations of {rest}"
    return (f"Means over the {number} {combined} that both have a score for, on the same seeds.",)


def too_many(name: str, levels: int, first: str) -> str:
    return f"There are {levels} {name}: each is compared with {first} alone, and of many only the first ones."


def picked(scored: int) -> str:
    return (
        f"These points were picked by their results, so they are corrected for every two of the {scored} "
        "scored points: a difference that holds here would hold if any other two had come out ahead."
    )


def best_set(names: Sequence[str], others: int, left_out: int) -> str:
    """The 95 % set of the best."""
    if len(names) == 1:
        text = f"{names[0]} is the best of {others + 1} cells, with 95 % confidence"
    else:
        text = (
            f"With 95 % confidence the best of {others + 1} cells is one of these {len(names)}: "
            f"{', '.join(names)}. They cannot be told apart from {names[0]}, which scored highest"
        )
    cells = "cell has" if left_out == 1 else "cells have"
    return f"{text}; {left_out} {cells} one seed and cannot be judged." if left_out else f"{text}."


def run(names: Sequence[str]) -> str:
    """Of points along the frontier."""
    return f"Along the frontier, these results do not tell {', '.join(names[:-1])} and {names[-1]} apart."
