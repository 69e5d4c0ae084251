"""What everything that must run will take together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

from orchestrator.config import ResolvedSweep
from orchestrator.contracts.record import Record
from orchestrator.planning.cost import Predicted, device_of
from orchestrator.planning.placement import longest_first, makespan


class Prediction(Record):
    """What `to_run` will take, and the candidates of searches before it. A total is None as soon as one trial
    of it is unknown: a part is no total."""

    device: Literal["core-hours", "GPU-hours"]
    device_hours: float | None  # of everything
    tuning_device_hours: float | None  # the part of it that searches take; 0 where nothing is left to search
    tuning_candidates: int  # that are still to run, those not drawn yet included
    wall_seconds: float | None  # None as well where it is not known how many trials run at once
    basis: Literal["ledger", "estimate", "mixed"] | None
    unknown_trials: int
    money: float | None
    currency: str | None
    assumption: str | None  # what an estimate rests on


_Seconds = Sequence[Predicted | None]


def total(
    sweep: ResolvedSweep,
    trials: _Seconds,
    searches: Sequence[Sequence[_Seconds]],
    assumption: str,
    slots: int | None,
) -> Prediction:
    """`searches`: of each the rounds that are left. `slots`: trials that the machines take at once, None
    where that is not known."""
    device = device_of(sweep.config.resources)
    # A round of all searches is launched together, and the next one waits for its last candidate.
    rounds = [[p for part in parts for p in part] for parts in itertools.zip_longest(*searches, fillvalue=())]
    everything = [p for part in (*rounds, trials) for p in part]
    sources = {p.source for p in everything if p is not None}
    hours = _hours(everything, sweep)
    at_once = min((n for n in (slots, sweep.config.concurrency) if n is not None), default=None)
    money, currency = _money(sweep, device, hours)
    return Prediction(
        device="GPU-hours" if device == "gpu" else "core-hours",
        device_hours=hours,
        tuning_device_hours=_hours([p for part in rounds for p in part], sweep),
        tuning_candidates=sum(map(len, rounds)),
        wall_seconds=None if hours is None or at_once is None else _wall([*rounds, trials], at_once),
        basis="mixed" if len(sources) > 1 else next(iter(sources), None),
        unknown_trials=everything.count(None),
        money=money,
        currency=currency,
        assumption=assumption if "estimate" in sources else None,
    )


def _hours(trials: _Seconds, sweep: ResolvedSweep) -> float | None:
    if any(p is None for p in trials):
        return None
    return sum(p.seconds for p in trials if p is not None) * sweep.config.resources.devices / 3600


def _wall(launches: Sequence[_Seconds], at_once: int) -> float:
    """Each launch starts when the one before it is through. All predictions are known."""
    seconds = [longest_first([p.seconds for p in part if p is not None], lambda s: s) for part in launches]
    return sum(makespan(part, at_once) for part in seconds)


def _money(
    sweep: ResolvedSweep, device: Literal["gpu", "core"], hours: float | None
) -> tuple[float | None, str | None]:
    """None without a price entry, or where it has no such device."""
    book = sweep.catalogue.prices.get(sweep.config.prices or "")
    usual = None if book is None else book.usual(device)
    rate = None if book is None or usual is None else book.rate(usual, sweep.config.market)
    if book is None or rate is None or hours is None:
        return None, None
    return hours * rate, book.currency
