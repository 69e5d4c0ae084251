"""What the trials of a sweep cost in money, at the prices that its record holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.vocabulary import Source
from orchestrator.report.results.result import Result
from orchestrator.tracking.price_terms import Amount
from orchestrator.tracking.prices import DeviceUse, Pricing, pricing_of


def money_of(results: Sequence[Result], device_type: str, pricing: Pricing | None) -> float | None:
    """Of one trial, the mean over `results`: its useful device-hours, and power where the book has it apart.
    None unless all of them can be priced."""
    amounts = _amounts(results, device_type, pricing)
    values = [amount.value for amount in amounts if amount.value is not None]
    return math.fsum(values) / len(values) if values and len(values) == len(amounts) else None


def _amounts(results: Sequence[Result], device_type: str, pricing: Pricing | None) -> list[Amount]:
    if pricing is None:
        return []
    hours = ((r.device_hours, r.energy) for r in results)
    return [pricing.money(DeviceUse(device_type, None if h is None else h * 3600, e)) for h, e in hours]


def money_note(sweep: SweepRecord, results: Sequence[tuple[str, Sequence[Result]]]) -> str | None:
    """What the money of these rests on: results by the type of their device. None where nothing is priced."""
    pricing = pricing_of(sweep)
    if pricing is None:
        return None
    book = pricing.book
    amounts = [
        amount for device, device_results in results for amount in _amounts(device_results, device, pricing)
    ]
    text = (
        f"Money is {book.currency} for the device-hours of a trial, by {book.name} "
        f"({sweep.market.replace('_', ' ')}), as of {book.as_of}"
    )
    if book.power_price is not None:
        text += ", with power"
    reasons = sorted({a.why for a in amounts if a.why and a.source is Source.ESTIMATED})
    lacking = sorted({a.why for a in amounts if a.why and a.source is Source.MISSING})
    text += f"; estimated {', '.join(reasons)}" if reasons else ""
    text += f"; missing where {', '.join(lacking)}" if lacking else ""
    return f"{text}."
