"""What the forecast of a sweep costs in money and energy, by its price entry or by what trials metered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from orchestrator.config import ResolvedSweep
from orchestrator.config.resources import AutoResources
from orchestrator.contracts.price import PriceBook
from orchestrator.planning.cost import TrialForecast, device_of


@dataclass(frozen=True)
class ForecastPrice:
    """Each figure is None where what it needs is not known."""

    money: float | None
    money_per_device_hour: float | None  # power included where it is paid apart
    currency: str | None
    kwh: float | None  # at the devices
    kwh_basis: Literal["metered", "rated"] | None  # rated: the price book's watts
    priced_as: str | None  # the device type that money and watts are of


def price_of(sweep: ResolvedSweep, forecasts: Sequence[TrialForecast], hours: float | None) -> ForecastPrice:
    """Return the price of so many device-hours of the sweep, None where these are not known."""
    book = sweep.catalogue.prices.get(sweep.config.prices or "")
    priced_as = _priced_as(book, forecasts, device_of(sweep.config.resources), _chosen(sweep))
    watts, metered = _watts(book, priced_as, forecasts)
    kwh = None if hours is None or watts is None else hours * watts / 1000
    money = _money(sweep, book, priced_as, hours, kwh)
    hourly = _money(sweep, book, priced_as, 1.0, None if watts is None else watts / 1000)
    return ForecastPrice(
        money=money,
        money_per_device_hour=hourly,
        currency=None if hourly is None or book is None else book.currency,
        kwh=kwh,
        kwh_basis=None if kwh is None else "metered" if metered else "rated",
        priced_as=None if money is None and kwh is None else priced_as,
    )


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
