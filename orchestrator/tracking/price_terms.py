"""A finished sweep at other prices, as data: what owning each of its models would cost."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat

from orchestrator.contracts.price import Market
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Source


class Terms(Record):
    """What is assumed. `prices` names an entry of the price book or a file."""

    prices: str
    currency: str
    as_of: str
    price_source: str
    market: Market = "on_demand"
    device: str | None = None  # the type that everything is carried to; None: each figure on its own device
    requests_per_year: NonNegativeFloat = 0.0
    years: PositiveFloat = 1.0
    batch: Literal["one", "task"] = "task"  # requests that are answered together
    utilisation: float = Field(1.0, gt=0, le=1)  # share of the paid hours in which a serving device works
    memory_limit_gib: PositiveFloat | None = None
    cost_per_error: NonNegativeFloat | None = None  # money that a wrong answer costs


class Amount(Record):
    """A figure with its standing: MEASURED on the device that is priced, ESTIMATED (`why` says from what), or
    MISSING (`value` is None and `why` the reason)."""

    value: float | None
    source: Source
    why: str | None = None
