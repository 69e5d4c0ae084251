"""Trials that are forecast to take longer than the sweep gives an attempt: reported, not refused, because the
next attempt resumes where one was ended."""

from __future__ import annotations

from rich.console import Console

from orchestrator.cli.terminal import styled
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.planning import Plan
from orchestrator.units import duration, quantity, rounded

_HOUR = 3600.0  # seconds


def over_attempt_hours(plan: Plan) -> list[str]:
    """Return the names of trials to run whose forecast exceeds `attempt_hours`, the longest first."""
    return [trial.name for trial in _too_long(plan)]


def show_over_attempt_hours(plan: Plan, console: Console) -> None:
    if not (trials := _too_long(plan)):
        return
    longest, hours = _seconds_ahead(trials[0]), rounded(plan.sweep.config.attempt_hours)
    takes = "is forecast to take" if len(trials) == 1 else "are forecast to take"
    console.print(
        styled("attempt_hours", "yellow"),
        f"{quantity(len(trials), 'trial')} {takes} longer than {hours} h, {trials[0].name} "
        f"{duration(longest)}: an attempt is ended at that limit, and the next one resumes from its "
        "checkpoint\n"
        f"    -> raise attempt_hours to {rounded(2 * longest / _HOUR, 2)}",
        highlight=False,
    )


def _too_long(plan: Plan) -> list[PlannedTrial]:
    limit = plan.sweep.config.attempt_seconds
    if limit is None:
        return []
    trials = [item.trial for item in (*plan.to_run, *plan.candidates_to_run)]
    return sorted((t for t in trials if _seconds_ahead(t) > limit), key=_seconds_ahead, reverse=True)


def _seconds_ahead(trial: PlannedTrial) -> float:
    """Return the forecast wall seconds of what is left of the trial; 0 without a forecast."""
    return (trial.forecast_seconds or 0.0) * (1 - trial.done_share)
