"""From which volume on a larger, better model costs less than the smallest one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.contracts.record import Record
from orchestrator.tracking.price_terms import Amount, Terms
from orchestrator.tracking.prices import plus, times


class BreakEvenVerdict(StrEnum):
    """When the larger model costs less in total than the smaller one."""

    ALWAYS = "always"
    NEVER = "never"
    ABOVE = "above"  # from that many requests a year on
    BELOW = "below"  # up to that many


class BreakEven(Record):
    """A larger, better model against the smallest one, under the method that makes that cheapest.
    `requests_per_year` where the verdict needs it."""

    larger: str  # model/domain/method
    smaller: str
    comparison: str | None
    quality_gain: float
    verdict: BreakEvenVerdict
    requests_per_year: float | None = None
    sentence: str


@dataclass(frozen=True)
class OwningCost:
    """What a cell costs to own: once, and for each request a year over all years."""

    cell: str
    comparison: str | None
    parameters: int | None
    quality: float | None
    tuning: Amount
    training: Amount
    a_request: Amount
    an_error: Amount | None  # None where errors have no price
    memory: Amount
    fits: bool | None

    @property
    def once(self) -> Amount:
        return plus(self.tuning, self.training)

    @property
    def each(self) -> Amount:
        return self.a_request if self.an_error is None else plus(self.a_request, self.an_error)

    def total(self, requests: float) -> Amount:
        """Return the cost at so many requests a year. Without requests their cost need not be known."""
        return plus(self.once, times(self.each, requests)) if requests else self.once


def break_evens(base: OwningCost, costs: Sequence[OwningCost], terms: Terms) -> list[BreakEven]:
    """Return one entry for each model that is larger and better than `base` under the same comparison key and
    may fit, the best first. Models without a cost per request are left out."""
    offers = []
    for cost in costs:
        if cost.comparison != base.comparison or cost.fits is False:
            continue
        if cost.parameters is None or base.parameters is None or cost.parameters <= base.parameters:
            continue
        if cost.quality is None or base.quality is None or cost.quality <= base.quality:
            continue
        if (offer := _offer(base, cost, cost.quality - base.quality, terms)) is not None:
            offers.append(offer)
    return sorted(offers, key=lambda offer: (-offer.quality_gain, offer.larger))


def _offer(base: OwningCost, cost: OwningCost, gain: float, terms: Terms) -> BreakEven | None:
    amounts = (cost.once.value, base.once.value, cost.each.value, base.each.value)
    larger_once, base_once, larger_each, base_each = amounts
    if larger_once is None or base_once is None or larger_each is None or base_each is None:
        return None
    more_once, more_each = larger_once - base_once, larger_each - base_each
    verdict, requests = break_even_at(more_once, more_each)
    return BreakEven(
        larger=cost.cell,
        smaller=base.cell,
        comparison=cost.comparison,
        quality_gain=gain,
        verdict=verdict,
        requests_per_year=requests,
        sentence=_sentence(base, cost, gain, verdict, requests, more_each, terms),
    )


def break_even_at(more_once: float, more_each: float) -> tuple[BreakEvenVerdict, float | None]:
    """Return when `more_once` + requests x `more_each` is below zero, and the number of requests where it
    turns."""
    if more_each < 0:
        return (
            (BreakEvenVerdict.ALWAYS, None)
            if more_once <= 0
            else (BreakEvenVerdict.ABOVE, more_once / -more_each)
        )
    if more_once >= 0:
        return BreakEvenVerdict.NEVER, None
    return (
        (BreakEvenVerdict.ALWAYS, None)
        if more_each == 0
        else (BreakEvenVerdict.BELOW, -more_once / more_each)
    )


def _sentence(
    base: OwningCost,
    cost: OwningCost,
    gain: float,
    verdict: BreakEvenVerdict,
    requests: float | None,
    more_each: float,
    terms: Terms,
) -> str:
    what = (
        f"{cost.cell} scores {gain:.3f} more than {base.cell} in the mean (the claims say whether that holds)"
    )
    turns = round(requests or 0.0, 3)  # the resolution of floats is no request
    when = {
        BreakEvenVerdict.ALWAYS: "and costs less at any volume",
        BreakEvenVerdict.NEVER: "and never pays off by its cost: it takes more to train and to serve",
        BreakEvenVerdict.ABOVE: f"and costs less from {math.ceil(turns):,} requests a year on",
        BreakEvenVerdict.BELOW: f"and costs less up to {math.floor(turns):,} requests a year",
    }[verdict]
    rest = ""
    if verdict is BreakEvenVerdict.NEVER and terms.requests_per_year and terms.cost_per_error is None:
        worth = more_each / terms.years / gain
        rest = f"; it would where a point of quality is worth {worth * 0.01:.2g} {terms.currency} a request"
    return f"{what}, {when}{rest}"
