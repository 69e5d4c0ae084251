"""Plotly figures as plain data: one a task and comparison key. Colours come from the page's theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from typing import Any

from markupsafe import escape

from orchestrator.contracts.record import Record
from orchestrator.report import wording
from orchestrator.report.model import Comparison, Point, Report, TaskReport
from orchestrator.report.points import figures
from orchestrator.report.statistics import Summary

COLOURS = 6  # the theme has as many; further domains take them again
_SYMBOLS = {
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "triangle-up": "▲",
    "cross": "✚",
    "x": "✖",
    "star": "★",
    "hexagon": "⬢",
    "triangle-down": "▼",
    "bowtie": "⧓",
}
_SMALLEST, _LARGEST = 9.0, 20.0  # pixels, diameter
_HOVER = "<b>%{customdata[0]}</b>%{customdata[1]}<extra></extra>"


class Style(Record):
    """Colours by domain and symbols by method, the same in every plot of a report."""

    colours: dict[str, str]  # domain -> name of a colour of the theme
    symbols: dict[str, str]  # method -> name of a Plotly symbol
    signs: dict[str, str]  # method -> the character that looks like it


def style(report: Report) -> Style:
    """From all cells of the sweep, so that a cell looks alike in all its tasks."""
    cells = [p.cell for task in report.tasks for p in task.points]
    domains, methods = sorted({c.domain for c in cells}), sorted({c.method for c in cells})
    symbols = dict(zip(methods, cycle(_SYMBOLS), strict=False))
    return Style(
        colours={name: f"s{i % COLOURS}" for i, name in enumerate(domains)},
        symbols=symbols,
        signs={method: _SYMBOLS[symbol] for method, symbol in symbols.items()},
    )


def plot(task: TaskReport, comparison: Comparison, look: Style) -> dict[str, Any] | None:
    """{data, layout, domains, methods} for Plotly and the legend; None where there is nothing to draw.

    `meta.colour` of a trace names a colour of the theme; trace 0 is the frontier, trace 1 + i domain i.
    """
    points = [p for p in task.points if p.comparison == comparison.label and _drawable(p)]
    if not points:
        return None
    domains = sorted({p.cell.domain for p in points})
    costs = [figures(p)[0] or 0.0 for p in points]
    sizes, unit = _sizes(points), comparison.unit
    traces = [_markers([p for p in points if p.cell.domain == d], look, sizes, unit) for d in domains]
    return {
        "data": [_line([p for p in points if p.frontier], points), *traces],
        "layout": {
            "xaxis": {"type": "log", "title": {"text": f"{unit} a trial (log scale)"}, **_ticks(costs)},
            "yaxis": {
                "title": {"text": f"{wording.short(task.metric_title)}, test"},
                "range": span([p.quality for p in points if p.quality]),
                "tickformat": ".2f",
            },
        },
        "domains": domains,
        "methods": sorted({p.cell.method for p in points}),
    }


def _drawable(point: Point) -> bool:
    cost, quality = figures(point)
    return cost is not None and cost > 0 and quality is not None


def _line(frontier: Sequence[Point], points: Sequence[Point]) -> dict[str, Any]:
    """The best quality that a budget buys: level from one frontier point to the next, then on."""
    found = sorted((figures(p)[0] or 0.0, figures(p)[1] or 0.0) for p in frontier)
    if found:
        found.append((max(figures(p)[0] or 0.0 for p in points), found[-1][1]))
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "frontier",
        "x": [cost for cost, _ in found],
        "y": [quality for _, quality in found],
        "line": {"shape": "hv", "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
        "meta": {"colour": "ink"},
    }


def _markers(
    points: Sequence[Point], look: Style, sizes: dict[int | None, float], unit: str
) -> dict[str, Any]:
    """The points of one domain. Bars are drawn upwards and downwards to the ends of the interval."""
    means = [figures(p)[1] or 0.0 for p in points]
    ends = [p.quality.interval if p.quality else None for p in points]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": str(escape(points[0].cell.domain)),
        "x": [figures(p)[0] for p in points],
        "y": means,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [None if e is None else e[1] - mean for e, mean in zip(ends, means, strict=True)],
            "arrayminus": [None if e is None else mean - e[0] for e, mean in zip(ends, means, strict=True)],
            "thickness": 1,
            "width": 3,
        },
        "marker": {
            "symbol": [look.symbols[p.cell.method] for p in points],
            "size": [sizes[p.total_parameters] for p in points],
            "opacity": [1.0 if p.frontier else 0.55 for p in points],
            "line": {"width": 1},
        },
        "customdata": [_hover(p, unit) for p in points],
        "hovertemplate": _HOVER,
        "meta": {"colour": look.colours[points[0].cell.domain]},
    }


def _hover(point: Point, unit: str) -> list[str]:
    score = wording.score_with_interval(point.quality) if point.quality else wording.MISSING
    cost = f"{wording.hours(figures(point)[0])} {unit} a trial"
    trained, total = wording.count(point.trainable_parameters), wording.count(point.total_parameters)
    size = f"{trained} of {total} parameters trained"
    remark = wording.remark(point)
    lines = [escape(text) for text in (score, cost, size, remark) if text]
    return [str(escape(point.name)), "".join(f"<br>{line}" for line in lines)]


def _sizes(points: Sequence[Point]) -> dict[int | None, float]:
    """Diameter by total parameters, on a log scale over the points of the plot."""
    known = [math.log(p.total_parameters) for p in points if p.total_parameters]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    found: dict[int | None, float] = {}
    for point in points:
        share = 0.3
        if point.total_parameters and high > low:
            share = (math.log(point.total_parameters) - low) / (high - low)
        found[point.total_parameters] = round(_SMALLEST + share * (_LARGEST - _SMALLEST), 1)
    return found


def span(summaries: Sequence[Summary]) -> list[float]:
    """The vertical axis: all means, and their intervals as far as they leave the means apart."""
    means = [s.mean for s in summaries]
    ends = [end for s in summaries if s.interval for end in s.interval]
    low, high = min(means), max(means)
    reach = max(high - low, 0.1)
    bottom = max(min([low, *ends]), low - reach) - 0.05 * reach
    top = min(max([high, *ends]), high + reach) + 0.05 * reach
    return [round(bottom, 4), round(top, 4)]


def _ticks(costs: Sequence[float]) -> dict[str, Any]:
    """Ticks at 1, 2 and 5 times the powers of ten, written out; the range leaves room for the markers."""
    low, high = math.log10(min(costs)) - 0.12, math.log10(max(costs)) + 0.12
    powers = range(math.floor(low), math.ceil(high) + 1)
    steps = (1,) if high - low > 3 else (1, 2, 5)
    values = [step * 10.0**power for power in powers for step in steps]
    values = [v for v in values if low <= math.log10(v) <= high]
    if len(values) < 2:
        return {"range": [low, high]}
    texts = [wording.hours(v) for v in values]
    return {"range": [low, high], "tickvals": values, "ticktext": texts}
