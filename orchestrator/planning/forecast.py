"""What everything that must run will take together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field

from orchestrator.config import ResolvedSweep
from orchestrator.contracts.record import Record
from orchestrator.planning.cost import LEVEL, Source, TrialForecast, device_of
from orchestrator.planning.forecast_price import price_of
from orchestrator.planning.observed_memory import device_kind
from orchestrator.planning.placement import longest_first

if TYPE_CHECKING:
    from orchestrator.planning.forecast_range import Noise

Interval = tuple[float, float]


class Forecast(Record):
    """What `to_run` will take, and the candidates of searches before it. A total is None as soon as one trial
    of it is unknown: a part is no total. Intervals are of the totals beside them, which end inside in the
    share `interval_level` of such sweeps (see `likely`)."""

    device: Literal["core-hours", "GPU-hours"]
    device_hours: float | None  # of everything
    device_hours_interval: Interval | None = None
    interval_level: float = LEVEL
    # What 5, 10, … 95 % of such sweeps stay below.
    device_hours_twentieths: tuple[float, ...] = Field((), exclude=True)
    tuning_device_hours: float | None  # the part of it that searches take; 0 where nothing is left to search
    tuning_candidates: int  # that are still to run, those not drawn yet included
    # The median of drawn schedules. None as well where it is not known how many trials run at once.
    wall_seconds: float | None
    wall_interval: Interval | None = None
    basis: Literal["ledger", "probe", "estimate", "mixed"] | None
    trials_by_basis: dict[Source, int] = Field(
        default_factory=dict
    )  # how many trials and candidates rest on what
    unknown_trials: int
    money: float | None
    money_interval: Interval | None = None
    currency: str | None
    money_per_device_hour: float | None = None  # power included where it is paid apart
    priced_as: str | None = None  # the device type that money and watts are of
    kwh: float | None = None  # at the devices
    kwh_interval: Interval | None = None
    kwh_basis: Literal["metered", "rated"] | None = None  # rated: the price book's watts
    peak_memory_bytes: int | None = None  # the largest that trials or probes like these took
    device_memory_bytes: float | None = None  # of the GPU that is named, or that they recorded
    device_name: str | None = None  # its entry in the catalogue
    assumption: str | None  # what an estimate rests on


_Seconds = Sequence[TrialForecast | None]


def total(
    sweep: ResolvedSweep,
    trials: _Seconds,
    searches: Sequence[Sequence[_Seconds]],
    assumption: str,
    slots: int | None,
    noise: Noise,
) -> Forecast:
    """`trials`: in the order in which they start. `searches`: of each the rounds that are left. `slots`: how
    many trials the machines take at once, None where that is not known."""
    # A round of all searches is launched together, and the next one waits for its last candidate.
    rounds = [
        longest_first([p for part in parts for p in part], lambda p: None if p is None else p.seconds)
        for parts in itertools.zip_longest(*searches, fillvalue=())
    ]
    everything = [p for part in (*rounds, trials) for p in part]
    forecasts = [p for p in everything if p is not None]
    sources = {p.source for p in forecasts}
    hours = _hours(everything)
    at_once = min((n for n in (slots, sweep.config.concurrency) if n is not None), default=None)
    launches = [[p for p in part if p is not None] for part in (*rounds, trials)]
    from orchestrator.planning.forecast_range import likely

    drawn = likely(launches, noise, at_once) if hours else None
    idle = None if hours is None or at_once is None else 0.0  # of a sweep with nothing to run
    spread = drawn.factors(hours) if drawn is not None and hours else (1.0, 1.0)
    kind = device_of(sweep.config.resources)
    price = price_of(sweep, forecasts, hours)
    gpu = None
    if kind == "gpu":
        ran_on = next((p.device_type for p in forecasts if p.device_type is not None), None)
        gpu = device_kind(sweep.config.resources, ran_on, sweep.catalogue.devices)
    peaks = [p.peak_memory_bytes for p in forecasts if p.peak_memory_bytes is not None]
    return Forecast(
        device="GPU-hours" if kind == "gpu" else "core-hours",
        device_hours=hours,
        device_hours_interval=_around(hours, spread),
        tuning_device_hours=_hours([p for part in rounds for p in part]),
        tuning_candidates=sum(map(len, rounds)),
        wall_seconds=idle if drawn is None else drawn.wall_median,
        wall_interval=_around(idle, spread) if drawn is None else drawn.wall_interval,
        device_hours_twentieths=() if drawn is None else drawn.twentieths,
        basis="mixed" if len(sources) > 1 else next(iter(sources), None),
        trials_by_basis={s: n for s in get_args(Source) if (n := sum(p.source == s for p in forecasts))},
        unknown_trials=everything.count(None),
        money=price.money,
        money_interval=_around(price.money, spread),
        currency=price.currency,
        money_per_device_hour=price.money_per_device_hour,
        priced_as=price.priced_as,
        kwh=price.kwh,
        kwh_interval=_around(price.kwh, spread),
        kwh_basis=price.kwh_basis,
        peak_memory_bytes=max(peaks, default=None),
        device_memory_bytes=None if gpu is None else gpu.memory_bytes,
        device_name=None if gpu is None else gpu.name,
        assumption=assumption if "estimate" in sources else None,
    )


def _hours(trials: _Seconds) -> float | None:
    if any(p is None for p in trials):
        return None
    return sum(p.expected_seconds * p.devices for p in trials if p is not None) / 3600


def _around(value: float | None, spread: Interval) -> Interval | None:
    return None if value is None else (value * spread[0], value * spread[1])
