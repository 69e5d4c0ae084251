"""What a plan will take, in words: hours, wall time, money, energy and memory, each with its interval."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.planning import Forecast, Plan
from orchestrator.planning.forecast import Interval
from orchestrator.units import amount, duration, gibibytes, quantity, rounded

_BASES = {
    "ledger": "from {} like these",
    "probe": "from probes of {} like these",
    "estimate": "estimated for {}",
}


def forecast_lines(plan: Plan) -> list[str]:
    """Return a line per figure; one line if there is nothing to forecast, or no basis for it."""
    forecast, count = plan.forecast, len(plan.to_run)
    if not count and not forecast.tuning_candidates:
        return [f"nothing to do: all {quantity(len(plan.trials), 'trial')} are up to date"]
    what = f"{quantity(count, 'trial')} to run"
    if forecast.tuning_candidates:
        what += f" after {quantity(forecast.tuning_candidates, 'candidate')} of searches"
    if forecast.device_hours is None:
        unknown = f"no forecast for {forecast.unknown_trials} of them"
        return [
            f"{what}; {unknown}: the catalogue does not say how large their models are, or how many rows "
            "they train on"
        ]
    level = f"{10 * forecast.interval_level:.0f} of 10 such sweeps end inside each"
    from_ledger = forecast.basis == "ledger"
    ranges = f"  ranges       {level if from_ledger else 'assumed: not all rest on finished trials'}"
    return [f"{what}; {_hours(forecast)}", *_beside(forecast), ranges, _ground(forecast)]


def measuring(plan: Plan) -> str:
    """Return the command that gives a plan its forecast. Keys of the command line are not repeated in it."""
    sweep = plan.sweep
    file = os.path.relpath(sweep.file) if sweep.file.is_relative_to(Path.cwd()) else str(sweep.file)
    keys = " and the same keys" if sweep.source.overridden else ""
    return f"`frontier plan {shlex.quote(file)} --measure`{keys}"


def _hours(forecast: Forecast) -> str:
    if forecast.device_hours is None:
        return ""
    text = f"about {rounded(forecast.device_hours)} {forecast.device}"
    text += _around(forecast.device_hours_interval)
    if forecast.tuning_device_hours:
        text += f", {rounded(forecast.tuning_device_hours)} of them for tuning"
    return text


def _beside(forecast: Forecast) -> Iterator[str]:
    if forecast.wall_seconds is not None and forecast.wall_interval is not None:
        low, high = map(duration, forecast.wall_interval)
        yield f"  wall clock   {duration(forecast.wall_seconds)} ({low} to {high})"
    if forecast.money is not None:
        around = _around(forecast.money_interval, amount)
        money = f"{amount(forecast.money)} {forecast.currency}"
        yield f"  money        {money}{around}, as {forecast.priced_as}"
    if forecast.kwh is not None:
        ground = "as metered" if forecast.kwh_basis == "metered" else f"by the watts of {forecast.priced_as}"
        yield f"  energy       {rounded(forecast.kwh)} kWh{_around(forecast.kwh_interval)}, {ground}"
    if forecast.peak_memory_bytes is not None:
        where = "of the host" if forecast.device == "core-hours" else "of a GPU"
        if forecast.device_memory_bytes is not None:
            where = f"of the {gibibytes(forecast.device_memory_bytes)} of {forecast.device_name}"
        yield f"  memory       {gibibytes(forecast.peak_memory_bytes)} {where} at most, as measured"


def _ground(forecast: Forecast) -> str:
    by = forecast.trials_by_basis
    grounds = [
        template.format(quantity(by[basis], "trial")) for basis, template in _BASES.items() if basis in by
    ]
    ground = f"  {', '.join(grounds)}"
    return ground if forecast.assumption is None else f"{ground}: {forecast.assumption}"


def _around(interval: Interval | None, said: Callable[[float], str] = rounded) -> str:
    return "" if interval is None else f" ({said(interval[0])}-{said(interval[1])})"


def taken(forecast: Forecast, device_hours: float) -> str:
    """`forecast 41.2 (38-45), took 42.0`: of one run, held against its plan."""
    if forecast.device_hours is None:
        return f"took {rounded(device_hours)} {forecast.device}"
    around = _around(forecast.device_hours_interval)
    text = f"forecast {rounded(forecast.device_hours)}{around} {forecast.device}"
    return f"{text}, took {rounded(device_hours)}"
