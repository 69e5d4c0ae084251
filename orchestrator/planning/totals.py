"""What everything that must run will take together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from orchestrator.config import ResolvedSweep
from orchestrator.contracts.record import Record
from orchestrator.planning.cost import Predicted, device_of
from orchestrator.planning.placement import longest_first, makespan


class Prediction(Record):
    """What `to_run` will take. A total is None as soon as one trial of it is unknown: a part is no total."""

    device: Literal["core-hours", "GPU-hours"]
    device_hours: float | None
    wall_seconds: float | None  # None as well where it is not known how many trials run at once
    basis: Literal["ledger", "estimate", "mixed"] | None
    unknown_trials: int
    money: float | None
    currency: str | None
    assumption: str | None  # what an estimate rests on


def total(
    sweep: ResolvedSweep, trials: Sequence[Predicted | None], assumption: str, slots: int | None
) -> Prediction:
    """`slots`: trials that the machines take at once, None where that is not known."""
    device = device_of(sweep.config.resources)
    known = [p for p in trials if p is not None]
    unknown, sources = len(trials) - len(known), {p.source for p in known}
    seconds = longest_first([p.seconds for p in known], lambda s: s)
    hours = None if unknown else sum(seconds) * sweep.config.resources.devices / 3600
    at_once = min((n for n in (slots, sweep.config.concurrency) if n is not None), default=None)
    money, currency = _money(sweep, device, hours)
    return Prediction(
        device="GPU-hours" if device == "gpu" else "core-hours",
        device_hours=hours,
        wall_seconds=None if unknown or at_once is None else makespan(seconds, at_once),
        basis="mixed" if len(sources) > 1 else next(iter(sources), None),
        unknown_trials=unknown,
        money=money,
        currency=currency,
        assumption=assumption if "estimate" in sources else None,
    )


def _money(
    sweep: ResolvedSweep, device: Literal["gpu", "core"], hours: float | None
) -> tuple[float | None, str | None]:
    """None without a price entry, or where its hour is of another device."""
    price = sweep.catalogue.prices.get(sweep.config.prices or "")
    if price is None or price.device != device or hours is None:
        return None, None
    return hours * price.per_device_hour, price.currency
