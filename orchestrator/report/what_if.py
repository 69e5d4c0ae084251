"""A finished sweep at other prices, as data: what owning each of its models would cost."""

from __future__ import annotations

from enum import StrEnum
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


class Ownership(Record):
    """One cell under one comparison key. Money is in the currency of the terms, over all of their years."""

    cell: str  # model/domain/method
    comparison: str | None  # label
    quality: float | None
    parameters: int | None  # of the whole model
    device_type: str  # that it was measured on
    seeds: int  # trained
    tuning: Amount  # its search, 0 where it had none
    training: Amount  # of all seeds
    serving: Amount
    errors: Amount | None  # None where the terms put no price on them
    total: Amount
    seconds_per_request: Amount  # of one serving device, at the batch of the terms
    energy_kwh: Amount  # of tuning, training and serving
    carbon_kg: Amount
    memory_bytes: Amount  # while serving
    fits: bool | None  # into the memory limit; None where there is none, or the memory is not known
    cheapest: bool = False  # in total, of those that fit


class Verdict(StrEnum):
    """When the larger model costs less in total than the smaller one."""

    ALWAYS = "always"
    NEVER = "never"
    ABOVE = "above"  # from that many requests a year on
    BELOW = "below"  # up to that many


class PayOff(Record):
    """A larger, better model against the smallest one, under the method that makes that cheapest.
    `requests_per_year` where the verdict needs it."""

    larger: str  # model/domain/method
    smaller: str
    comparison: str | None
    quality_gain: float
    verdict: Verdict
    requests_per_year: float | None = None
    sentence: str


class TaskOwnership(Record):
    task: str
    title: str
    rows: tuple[Ownership, ...]  # by total, those without one last
    pay_offs: tuple[PayOff, ...] = ()
    notes: tuple[str, ...] = ()


class WhatIf(Record):
    terms: Terms
    tasks: tuple[TaskOwnership, ...]
    notes: tuple[str, ...] = ()  # what the figures rest on
