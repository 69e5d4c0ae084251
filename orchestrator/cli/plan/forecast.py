"""What a plan will take, in words: hours, wall time, money, energy and memory, each with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestrator.planning import Plan, Prediction
from orchestrator.planning.forecast import Interval
from orchestrator.units import amount, duration, gibibytes, quantity, rounded

_BASES = {
    "ledger": "from {} like these",
    "probe": "from probes of {} like these",
    "estimate": "estimated for {}",
}


def forecast(plan: Plan) -> list[str]:
    """Return a line per figure; one line if there is nothing to forecast, or no basis for it."""
    predicted, count = plan.predicted, len(plan.to_run)
    if not count and not predicted.tuning_candidates:
        return [f"nothing to do: all {quantity(len(plan.trials), 'trial')} are up to date"]
    what = f"{quantity(count, 'trial')} to run"
    if predicted.tuning_candidates:
        what += f" after {quantity(predicted.tuning_candidates, 'candidate')} of searches"
    if predicted.device_hours is None:
        unknown = f"no prediction for {predicted.unknown_trials} of them"
        return [
            f"{what}; {unknown}: the catalogue does not say their size; `frontier plan --measure` finds out"
        ]
    level = f"{10 * predicted.interval_level:.0f} of 10 such sweeps end inside each"
    from_ledger = predicted.basis == "ledger"
    ranges = f"  ranges       {level if from_ledger else 'assumed: not all rest on finished trials'}"
    return [f"{what}; {_hours(predicted)}", *_beside(predicted), ranges, _ground(predicted)]


def _hours(predicted: Prediction) -> str:
    if predicted.device_hours is None:
        return ""
    text = f"about {rounded(predicted.device_hours)} {predicted.device}"
    text += _around(predicted.device_hours_interval)
    if predicted.tuning_device_hours:
        text += f", {rounded(predicted.tuning_device_hours)} of them for tuning"
    return text


def _beside(predicted: Prediction) -> Iterator[str]:
    if predicted.wall_seconds is not None and predicted.wall_interval is not None:
        low, high = map(duration, predicted.wall_interval)
        yield f"  wall clock   {duration(predicted.wall_seconds)} ({low} to {high})"
    if predicted.money is not None:
        around = _around(predicted.money_interval, amount)
        money = f"{amount(predicted.money)} {predicted.currency}"
        yield f"  money        {money}{around}, as {predicted.priced_as}"
    if predicted.kwh is not None:
        ground = (
            "as metered" if predicted.kwh_basis == "metered" else f"by the watts of {predicted.priced_as}"
        )
        yield f"  energy       {rounded(predicted.kwh)} kWh{_around(predicted.kwh_interval)}, {ground}"
    if predicted.peak_memory_bytes is not None:
        where = "of the host" if predicted.device == "core-hours" else "of a GPU"
        if predicted.device_memory_bytes is not None:
            where = f"of the {gibibytes(predicted.device_memory_bytes)} of {predicted.device_name}"
        yield f"  memory       {gibibytes(predicted.peak_memory_bytes)} {where} at most, as measured"


def _ground(predicted: Prediction) -> str:
    by = predicted.trials_by_basis
    grounds = [
        template.format(quantity(by[basis], "trial")) for basis, template in _BASES.items() if basis in by
    ]
    ground = f"  {', '.join(grounds)}"
    return ground if predicted.assumption is None else f"{ground}: {predicted.assumption}"


def _around(interval: Interval | None, said: Callable[[float], str] = rounded) -> str:
    return "" if interval is None else f" ({said(interval[0])}-{said(interval[1])})"


def taken(predicted: Prediction, device_hours: float) -> str:
    """`predicted 41.2 (38-45), took 42.0`: of one run, held against its plan."""
    if predicted.device_hours is None:
        return f"took {rounded(device_hours)} {predicted.device}"
    around = _around(predicted.device_hours_interval)
    text = f"predicted {rounded(predicted.device_hours)}{around} {predicted.device}"
    return f"{text}, took {rounded(device_hours)}"
