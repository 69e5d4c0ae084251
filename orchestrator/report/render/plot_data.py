"""What a frontier plot is drawn from: the page's script reads it as JSON, the figures for papers as it is."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class QualityFloor(TypedDict):
    """What guessing gives."""

    value: float
    label: str


class QualityAxis(TypedDict):
    title: str
    range: list[float]


class LogAxis(TypedDict):
    """`range`: powers of ten. Without ticks Plotly sets its own."""

    range: list[float]
    tickvals: NotRequired[list[float]]
    ticktext: NotRequired[list[str]]


class CostView(TypedDict):
    """One cost axis. Lists are by point, but for `line`: the costs and the qualities of its steps."""

    side: str  # the objective
    title: str
    x: list[float | None]
    spread: list[list[float] | None] | None  # [down, up]
    frontier: list[int]  # 1 on the frontier, else 0
    line: list[list[float]]
    axis: LogAxis


class DomainColour(TypedDict):
    name: str
    colour: str


class FrontierPlot(TypedDict):
    """The points against each cost axis. Lists from `y` to `text` are by point."""

    domains: list[DomainColour]
    methods: list[str]
    y: list[float]
    low: list[float | None]  # ends of the intervals
    high: list[float | None]
    domain: list[int]  # index in `domains`
    symbol: list[str]
    size: list[float]
    name: list[str]
    text: list[list[str]]
    guessing: QualityFloor | None
    axis: QualityAxis
    views: list[CostView]
