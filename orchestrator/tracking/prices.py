"""Device-seconds at a price: carried to the device that is asked about, with power where it is paid apart."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.contracts.price import PriceBook
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import Source
from orchestrator.tracking.energy import Energy
from orchestrator.tracking.price_terms import Amount, Terms

_HOUR, _KWH = 3600.0, 3.6e6  # seconds; joules
_RANK = {Source.MEASURED: 0, Source.ESTIMATED: 1, Source.MISSING: 2}


def measured(value: float) -> Amount:
    return Amount(value=value, source=Source.MEASURED)


def estimated(value: float, why: str) -> Amount:
    return Amount(value=value, source=Source.ESTIMATED, why=why)


def missing_amount(why: str) -> Amount:
    return Amount(value=None, source=Source.MISSING, why=why)


def plus(*parts: Amount) -> Amount:
    """Add the amounts. The sum is as certain as its worst part, and missing where one part is."""
    worst = max(parts, key=lambda part: _RANK[part.source])
    if worst.source is Source.MISSING:
        return worst
    return Amount(value=sum(part.value or 0.0 for part in parts), source=worst.source, why=worst.why)


def times(amount: Amount, factor: float) -> Amount:
    if amount.value is None:
        return amount
    return amount.model_copy(update={"value": amount.value * factor})


@dataclass(frozen=True)
class DeviceUse:
    """What something took of one type of device. `energy` None: nothing is known of it."""

    device_type: str
    device_seconds: float | None  # None: not comparable, as it shared a GPU
    energy: Energy | None = None


@dataclass(frozen=True)
class Pricing:
    book: PriceBook
    terms: Terms

    def money(self, use: DeviceUse, utilisation: float = 1.0) -> Amount:
        """In the book's currency. MISSING without a price of the device, or a way to carry it.

        `utilisation`: the share of the hours paid for in which the device works. Power that is paid apart is
        that of the work: what an idle device draws is not known.
        """
        target = self.terms.device or use.device_type
        rate = self.book.rate(target, self.terms.market)
        if rate is None:
            return missing_amount(f"{self.book.name} has no {self.terms.market} price of {target}")
        hours = times(self.carried(use), 1 / _HOUR / utilisation)
        power = self.book.power_price
        if power is None:
            return times(hours, rate)
        return plus(times(hours, rate), times(self.kwh(use), power))

    def carried(self, use: DeviceUse) -> Amount:
        """Convert device-seconds to the device of the terms by the ratio of the two peak rates, as an
        estimate."""
        target = self.terms.device
        if use.device_seconds is None:
            return missing_amount("it shared a GPU and was not calibrated on one of its own")
        if target is None or target.casefold() == use.device_type.casefold():
            return measured(use.device_seconds)
        source, destination = self.book.device(use.device_type), self.book.device(target)
        if source is None or destination is None or source.tflops is None or destination.tflops is None:
            lacking = use.device_type if source is None or source.tflops is None else target
            return missing_amount(f"not carried to {target}: {self.book.name} has no tflops of {lacking}")
        why = f"carried from {use.device_type} to {target} by their peak rates"
        return estimated(use.device_seconds * source.tflops / destination.tflops, why)

    def kwh(self, use: DeviceUse) -> Amount:
        """Return the energy at the devices: as metered, else by the watts of the book."""
        carried = self.carried(use)
        target = self.terms.device or use.device_type
        if carried.source is Source.MEASURED and use.energy is not None and use.energy.kwh is not None:
            why = None if use.energy.source is Source.MEASURED else use.energy.why
            return Amount(value=use.energy.kwh, source=use.energy.source, why=why)
        price = self.book.device(target)
        if price is None or price.watts is None:
            return missing_amount(f"no meter, and {self.book.name} has no watts of {target}")
        if carried.value is None:
            return carried
        why = carried.why or f"by {price.watts:g} W a device, as {self.book.name} has it"
        return estimated(carried.value * price.watts / _KWH, why)

    def carbon_kg(self, kwh: Amount) -> Amount:
        """Return the emissions, including the building's share of power."""
        energy = self.book.energy
        if energy is None or energy.grams_co2_per_kwh is None:
            return missing_amount(f"{self.book.name} has no carbon intensity")
        return times(kwh, energy.overhead * energy.grams_co2_per_kwh / 1000)


def pricing_of(sweep: SweepRecord) -> Pricing | None:
    """At the sweep's own prices and market. None where it names none."""
    book = sweep.prices
    if book is None:
        return None
    terms = Terms(
        prices=book.name,
        currency=book.currency,
        as_of=book.as_of,
        price_source=book.source,
        market=sweep.market,
    )
    return Pricing(book, terms)
