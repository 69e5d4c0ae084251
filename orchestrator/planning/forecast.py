"""What everything that must run will take together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import Field

from orchestrator.config import ResolvedSweep
from orchestrator.config.resources import AutoResources
from orchestrator.contracts.price import PriceBook
from orchestrator.contracts.record import Record
from orchestrator.planning.cost import LEVEL, Source, TrialForecast, device_of
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
    book = sweep.catalogue.prices.get(sweep.config.prices or "")
    priced_as = _priced_as(book, forecasts, kind, _chosen(sweep))
    watts, metered = _watts(book, priced_as, forecasts)
    kwh = None if hours is None or watts is None else hours * watts / 1000
    money = _money(sweep, book, priced_as, hours, kwh)
    hourly = _money(sweep, book, priced_as, 1.0, None if watts is None else watts / 1000)
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
        money=money,
        money_interval=_around(money, spread),
        currency=None if hourly is None or book is None else book.currency,
        money_per_device_hour=hourly,
        priced_as=None if money is None and kwh is None else priced_as,
        kwh=kwh,
        kwh_interval=_around(kwh, spread),
        kwh_basis=None if kwh is None else "metered" if metered else "rated",
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


def _priced_as(
    book: PriceBook | None,
    forecasts: Sequence[TrialForecast],
    kind: Literal["gpu", "core"],
    chosen: str | None,
) -> str | None:
    """Return the device that trials recorded, or else the sweep's; if the book has neither, its usual one."""
    device_type = next((p.device_type for p in forecasts if p.device_type is not None), chosen)
    if book is None:
        return device_type
    return (
        device_type if device_type is not None and book.device(device_type) is not None else book.usual(kind)
    )


def _chosen(sweep: ResolvedSweep) -> str | None:
    """Return the product that `resources: auto` names."""
    asked = sweep.config.resources
    if not isinstance(asked, AutoResources) or asked.device is None:
        return None
    return sweep.catalogue.devices[asked.device].products[0]


def _watts(
    book: PriceBook | None, priced_as: str | None, forecasts: Sequence[TrialForecast]
) -> tuple[float | None, bool]:
    """Return the watts of one device, and whether a meter measured them for every trial. Otherwise they are
    the book's figure."""
    if forecasts and all(p.watts is not None for p in forecasts):
        joules = sum((p.watts or 0.0) * p.seconds for p in forecasts)
        return joules / sum(p.seconds * p.devices for p in forecasts), True
    price = None if book is None or priced_as is None else book.device(priced_as)
    return (None if price is None else price.watts), False


def _money(
    sweep: ResolvedSweep,
    book: PriceBook | None,
    priced_as: str | None,
    hours: float | None,
    kwh: float | None,
) -> float | None:
    """Return the cost in money, None without a price entry, or if it lacks the device or the energy is
    unknown."""
    rate = None if book is None or priced_as is None else book.rate(priced_as, sweep.config.market)
    if book is None or rate is None or hours is None:
        return None
    power = book.power_price
    if power is None:
        return hours * rate
    return None if kwh is None else hours * rate + kwh * power
