"""Compare a sweep with its budget, and find what to leave out if it is over. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.config import GridCell
from orchestrator.config.grid import Grid
from orchestrator.contracts.ledger import CPU
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.errors import ConfigError, Problem
from orchestrator.planning.plan import Plan, make_plan

Key = Literal["gpu_hours", "core_hours", "money"]
_MOST_OPTIONS = 3
_SEARCH_SHARES = (0.75, 0.5, 0.25)  # of the candidates of each search
_TITLES: dict[Key, str] = {"gpu_hours": "GPU-hours", "core_hours": "core-hours"}


@dataclass(frozen=True)
class BudgetLimit:
    """One key of a budget, and the plan's figures against it, all in its unit."""

    key: Key
    unit: str  # core-hours, GPU-hours, or a currency
    limit: float
    spent: float  # by the sweep so far, whatever became of it; probes are billed apart
    ahead: float | None  # None: not known of all trials
    most_ahead: float | None  # the upper end of its interval
    per_device_hour: float  # 1 for hours
    twentieths: tuple[float, ...] = ()  # of what is ahead: what 5, 10, … 95 % of such sweeps stay below

    @property
    def forecast(self) -> float | None:
        return None if self.ahead is None else self.spent + self.ahead

    @property
    def is_over(self) -> bool:
        """Return whether the forecast exceeds the limit; never if nothing is left to run."""
        return self.ahead is not None and self.ahead > 0 and self.spent + self.ahead > self.limit

    @property
    def chance_of_more(self) -> float:
        """Return the share of such sweeps that would take more, in steps of 0.05; 0 if nothing was
        forecast."""
        return sum(self.spent + ahead > self.limit for ahead in self.twentieths) / 20

    @property
    def device_hours_left(self) -> float:
        return max(0.0, self.limit - self.spent) / self.per_device_hour


@dataclass(frozen=True)
class Option:
    """A change that makes the sweep cheaper: its command-line words, and where the forecast then is."""

    change: str
    forecast: float
    fits: bool


def mistakes(plan: Plan) -> list[Problem]:
    """Return a problem for each limit in a unit that the sweep has no forecast in."""
    budget, forecast = plan.sweep.config.budget, plan.forecast
    if budget is None:
        return []
    own, other = _hours(plan)
    source, problems = plan.sweep.source, []
    if getattr(budget, other) is not None:
        key, problem = f"budget.{other}", f"the trials of this sweep are billed in {forecast.device}"
        problems.append(Problem(source.of(key), key, problem, f"use budget.{own}"))
    if budget.money is not None and forecast.money_per_device_hour is None:
        problem, fix = "there is no price of these devices", "name an entry in `prices` that has them"
        problems.append(Problem(source.of("budget.money"), "budget.money", problem, fix))
    return problems


def _hours(plan: Plan) -> tuple[Key, Key]:
    """Return the key of the hours that the sweep is billed in, and the other one."""
    return ("gpu_hours", "core_hours") if plan.forecast.device == "GPU-hours" else ("core_hours", "gpu_hours")


def limits(plan: Plan) -> list[BudgetLimit]:
    """Return the limits of the budget with the forecast for each. Raises ConfigError with the `mistakes`."""
    budget, forecast = plan.sweep.config.budget, plan.forecast
    if budget is None:
        return []
    if problems := mistakes(plan):
        raise ConfigError(problems)
    (own, _), rate = _hours(plan), forecast.money_per_device_hour
    spent = spent_device_hours(plan.history, own == "gpu_hours")
    most = None if forecast.device_hours_interval is None else forecast.device_hours_interval[1]
    entries = []
    units: tuple[tuple[Key, str, float | None], ...] = (
        (own, _TITLES[own], 1.0),
        ("money", forecast.currency or "", rate),
    )
    for of, unit, per_hour in units:
        limit = getattr(budget, of)
        if limit is not None and per_hour is not None:
            ahead = None if forecast.device_hours is None else forecast.device_hours * per_hour
            most_ahead = None if most is None else most * per_hour
            twentieths = tuple(hours * per_hour for hours in forecast.device_hours_twentieths)
            entries.append(
                BudgetLimit(of, unit, limit, spent * per_hour, ahead, most_ahead, per_hour, twentieths)
            )
    return entries


def spent_device_hours(history: Mapping[str, TrialHistory], gpus: bool) -> float:
    """Return the device-hours of all attempts in the ledger, under any fingerprint."""
    attempts = (observed for trial in history.values() for observed in trial.by_fingerprint.values())
    return (
        sum(observed.device_seconds for observed in attempts if (observed.device_type != CPU) == gpus) / 3600
    )


def options(plan: Plan, limit: BudgetLimit) -> list[Option]:
    """Return at most three changes: first those that bring the sweep within the limit, least loss first; then
    those that only bring it closer."""
    best = []
    for group in (_fewer_seeds, _fewer_epochs, _fewer_candidates, _without_one):
        tried = [
            option
            for option in (_option(change, changed, limit) for change, changed in group(plan))
            if option
        ]
        fitting = [option for option in tried if option.fits]
        if fitting:
            best.append(max(fitting, key=lambda option: option.forecast))
        elif tried:
            best.append(min(tried, key=lambda option: option.forecast))
    if limit.key == "money":
        best += [option for change, changed in _spot(plan) if (option := _option(change, changed, limit))]
    cheaper = [option for option in best if limit.forecast is None or option.forecast < limit.forecast]
    ordered = sorted(
        cheaper, key=lambda option: (not option.fits, -option.forecast if option.fits else option.forecast)
    )
    return ordered[:_MOST_OPTIONS]


def _option(change: str, changed: Plan, limit: BudgetLimit) -> Option | None:
    again = next((candidate for candidate in limits(changed) if candidate.key == limit.key), None)
    if again is None or again.forecast is None:
        return None
    return Option(change, again.forecast, not again.is_over)


Changed = Iterator[tuple[str, Plan]]


def _again(plan: Plan, cells: list[GridCell], **config: object) -> Plan:
    sweep = plan.sweep
    changed = dataclasses.replace(
        sweep, config=sweep.config.model_copy(update=config), grid=Grid(cells=cells, refused=[])
    )
    return make_plan(changed, plan.inputs, plan.history, slots=plan.slots, probes=plan.probes)


def _fewer_seeds(plan: Plan) -> Changed:
    seeds = plan.sweep.config.seeds
    for count in range(len(seeds) - 1, 0, -1):
        listed = ",".join(map(str, seeds[:count]))
        yield f"seeds={listed}", _again(plan, plan.sweep.grid.cells, seeds=seeds[:count])


def _fewer_epochs(plan: Plan) -> Changed:
    cells = plan.sweep.grid.cells
    counted = [c.recipe.epochs for c in cells if c.recipe.steps is None and c.recipe.train_seconds is None]
    most = max(counted, default=1)
    for epochs in sorted({most - 1, most // 2, 1} - {0, most}, reverse=True):
        shorter = [
            dataclasses.replace(
                c, recipe=c.recipe.model_copy(update={"epochs": min(epochs, c.recipe.epochs)})
            )
            for c in cells
        ]
        yield f"recipe.epochs={epochs}", _again(plan, shorter)


def _fewer_candidates(plan: Plan) -> Changed:
    cells = plan.sweep.grid.cells
    if not any(cell.tune for cell in cells):
        return
    for share in _SEARCH_SHARES:
        fewer = [
            c
            if c.tune is None
            else dataclasses.replace(
                c, tune=c.tune.model_copy(update={"trials": max(1, round(c.tune.trials * share))})
            )
            for c in cells
        ]
        yield f"{share:.0%} of the candidates of each search (tune.trials)", _again(plan, fewer)


def _without_one(plan: Plan) -> Changed:
    """Yield plans without one model, method or task."""
    cells = plan.sweep.grid.cells
    for axis in ("model", "method", "task"):
        names = list(dict.fromkeys(getattr(cell.cell, axis) for cell in cells))
        for name in names if len(names) > 1 else ():
            rest = [cell for cell in cells if getattr(cell.cell, axis) != name]
            yield f"leave out the {axis} {name}", _again(plan, rest)


def _spot(plan: Plan) -> Changed:
    if plan.sweep.config.market != "spot":
        try:
            changed = _again(plan, plan.sweep.grid.cells, market="spot")
            limits(changed)
        except ConfigError:  # the book has no spot price of it
            return
        yield "market=spot", changed
