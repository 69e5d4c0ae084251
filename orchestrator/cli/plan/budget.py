"""The budget of a sweep: a gate before it starts, a stop while it runs, and the lines about both."""

from __future__ import annotations

import dataclasses

from rich.console import Console

from orchestrator.cli.plan.forecast import measuring
from orchestrator.cli.terminal import styled
from orchestrator.errors import OverBudgetError
from orchestrator.execution.budget_guard import Allowance
from orchestrator.planning import Plan
from orchestrator.planning.budget import BudgetLimit, limits, options
from orchestrator.units import quantity, rounded


def show_budget(plan: Plan, console: Console) -> None:
    """Show what a run would report about the budget. Raises ConfigError if the sweep has no figure for it."""
    for limit in limits(plan):
        if limit.is_over:
            console.print(styled("budget", "red"), _against_limit(limit), highlight=False)
            for line in _option_lines(plan, limit):
                console.print(line, highlight=False)
        else:
            _show_remark(plan, limit, console)


def budget_json(plan: Plan) -> list[dict[str, object]]:
    """Return a record per key of the budget. Raises ConfigError as `show_budget` does."""
    return [
        {
            "key": limit.key,
            "unit": limit.unit,
            "limit": limit.limit,
            "spent": limit.spent,
            "forecast": limit.forecast,
            "over": limit.is_over,
            "options": [dataclasses.asdict(option) for option in options(plan, limit)]
            if limit.is_over
            else [],
        }
        for limit in limits(plan)
    ]


def pass_gate(plan: Plan, console: Console) -> Allowance | None:
    """Return how much a run may begin; None without a budget. Raises OverBudgetError if the forecast exceeds
    it, ConfigError as `show_budget` does."""
    budget_limits = limits(plan)
    for limit in budget_limits:
        if limit.is_over:
            raise OverBudgetError(
                "\n    -> ".join([f"budget: {_against_limit(limit)}", *_option_lines(plan, limit)])
            )
    for limit in budget_limits:
        _show_remark(plan, limit, console)
    return Allowance(min(limit.device_hours_left for limit in budget_limits)) if budget_limits else None


def tell_left(plan: Plan, console: Console) -> None:
    """Report what is left after the budget stopped a run. `plan` was computed again after it."""
    for limit in limits(plan):
        console.print(styled("budget", "yellow"), _against_limit(limit), highlight=False)
    left, forecast = quantity(len(plan.to_run), "trial"), plan.forecast
    device_hours = forecast.device_hours
    hours = "" if device_hours is None else f", about {rounded(device_hours)} {forecast.device}"
    console.print(
        f"stopped by the budget: {left} left{hours}; what ran has finished. Raise `budget`, and the same "
        "command continues from here",
        highlight=False,
    )


def _show_remark(plan: Plan, limit: BudgetLimit, console: Console) -> None:
    style, remark = _remark(limit)
    console.print(styled("budget", style), f"{_against_limit(limit)}{remark}", highlight=False)
    if limit.ahead is None:
        console.print(
            f"    -> to check it beforehand: {measuring(plan)}, where the trials will run",
            highlight=False,
            soft_wrap=True,
        )


def _remark(limit: BudgetLimit) -> tuple[str, str]:
    """Return a colour, and what a limit that the forecast does not exceed means for the run."""
    if limit.ahead is None:
        return "yellow", ": it is checked only while trials run, and none begins once it is spent"
    if limit.chance_of_more:
        many = f"{100 * limit.chance_of_more:.0f} of 100 such sweeps"
        return "yellow", f"; about {many} need more: no trial begins once it is spent"
    return "green", ""


def _against_limit(limit: BudgetLimit) -> str:
    text = f"{rounded(limit.limit, 4)} {limit.unit}"
    if limit.spent:
        text += f", {rounded(limit.spent)} spent"
    if limit.ahead is None:
        return f"{text}; there is no forecast to compare it with"
    if not limit.ahead:
        return f"{text}; nothing is left to run"
    text += f"; forecast {rounded(limit.spent + limit.ahead)}"
    most = limit.most_ahead
    return text if most is None else f"{text}, in 19 of 20 such sweeps below {rounded(limit.spent + most)}"


def _option_lines(plan: Plan, limit: BudgetLimit) -> list[str]:
    lines = []
    for option in options(plan, limit):
        text = f"{option.change}: {rounded(option.forecast)} {limit.unit}"
        lines.append(text if option.fits else f"{text}, not enough by itself")
    return [*lines, f"{'or ' if lines else ''}raise budget.{limit.key}"]
