"""The frontier plots as plain data: one a task and comparison key, with a view for each cost axis.

The page's script makes Plotly traces of it. What a point looks like and says stands once, however many axes
it is shown on; colours come from the page's theme, so that light, dark and print need no second copy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

from markupsafe import escape

from orchestrator import units
from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import Source
from orchestrator.report import text
from orchestrator.report.analysis.frontiers import FrontierView
from orchestrator.report.analysis.objectives import OBJECTIVES, Objective, measurement
from orchestrator.report.record import Report
from orchestrator.report.render.markers import MARKERS
from orchestrator.report.render.plot_data import CostView, FrontierPlot, QualityFloor
from orchestrator.report.render.scales import span, ticks
from orchestrator.report.render.text import probability_text
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.task_report import TaskReport

_MANY = 2 * len(MARKERS)  # methods; a symbol of more than two says little
COLOURS = 6  # the theme has as many; further domains take them again
_SMALLEST, _LARGEST = 75.0, 380.0  # square pixels, the square that a marker fills


class Style(Record):
    """Colours by domain and symbols by method, the same in every plot of a report."""

    colours: dict[str, str]  # domain -> name of a colour of the theme
    symbols: dict[str, str]  # method -> name of a Plotly symbol
    many: bool = False  # too many methods for symbols of their own: all have one


def style(report: Report) -> Style:
    """From all cells of the sweep, so that a cell looks alike in all its tasks."""
    cells = [p.cell for task in report.tasks for p in task.points]
    domains, methods = sorted({c.domain for c in cells}), sorted({c.method for c in cells})
    return Style(
        colours={name: f"s{i % COLOURS}" for i, name in enumerate(domains)},
        symbols=dict.fromkeys(methods, next(iter(MARKERS)))
        if len(methods) > _MANY
        else dict(zip(methods, cycle(MARKERS), strict=False)),
        many=len(methods) > _MANY,
    )


def plot(task: TaskReport, comparison: Comparison, look: Style) -> FrontierPlot | None:
    """None where there is nothing to draw."""
    points = [p for p in task.points if p.comparison == comparison.label and p.quality is not None]
    views = [view for shown in _shown(task, comparison) if (view := _view(shown, points, task, comparison))]
    if not views:
        return None
    domains = sorted({p.cell.domain for p in points})
    guessed = floor(task)
    qualities = [p.quality.read for p in points if p.quality is not None]
    sizes = _sizes(points)
    intervals = [text.read_interval(p) for p in points]
    ends = [interval or (None, None) for interval in intervals]
    return {
        "domains": [{"name": d, "colour": look.colours[d]} for d in domains],
        "methods": sorted({p.cell.method for p in points}),
        "y": [_short(q.mean) for q in qualities],
        "low": [None if low is None else _short(low) for low, _ in ends],
        "high": [None if high is None else _short(high) for _, high in ends],
        "domain": [domains.index(p.cell.domain) for p in points],
        "symbol": [look.symbols[p.cell.method] for p in points],
        "size": [sizes[p.total_parameters] for p in points],
        "name": [str(escape(name)) for name in _labels(points)],
        "text": [_hover(p, comparison.unit) for p in points],
        "guessing": guessed,
        "axis": {
            "title": f"{text.short(task.metric_title)}, test{_lower(task)}",
            "range": span([q.mean for q in qualities], intervals, guessed["value"] if guessed else None),
        },
        "views": views,
    }


def _labels(points: Sequence[Point]) -> list[str]:
    """Return the names of points: only the method where all points have one backbone."""
    alike = len({p.cell.backbone_key for p in points}) == 1 and len(points) > 1
    return [p.cell.method if alike else p.name for p in points]


def floor(task: TaskReport) -> QualityFloor | None:
    """Return the line of guessing, None where it is unknown."""
    value = task.guessing.get(task.metric)
    return None if value is None else {"value": _short(value), "label": f"guessing {value:.3f}"}


def _lower(task: TaskReport) -> str:
    return ", lower is better" if task.loss else ""


def _shown(task: TaskReport, comparison: Comparison) -> list[tuple[Objective, frozenset[str]]]:
    """Quality against device-hours, then against all else that a frontier was found for."""
    points = [p for p in task.points if p.comparison == comparison.label]
    first = (Objective.DEVICE_HOURS, frozenset(p.name for p in points if p.frontier))
    others = [
        (view.axes[1], frozenset(member.cell for member in view.members))
        for view in task.frontiers
        if _is_pair(view)
        and view.comparison == comparison.label
        and view.axes[1] is not Objective.DEVICE_HOURS
    ]
    return [first, *others]


def _is_pair(view: FrontierView) -> bool:
    return len(view.axes) == 2 and view.axes[0] is Objective.QUALITY


def _view(
    shown: tuple[Objective, frozenset[str]], points: Sequence[Point], task: TaskReport, comparison: Comparison
) -> CostView | None:
    """One cost axis: where the points stand on it, and the line of the best quality that a budget buys."""
    objective, members = shown
    costs = [measurement(p, objective) for p in points]
    costs = [cost if cost is not None and cost > 0 else None for cost in costs]  # the axis is logarithmic
    positive = [cost for cost in costs if cost is not None]
    if not positive:
        return None
    on = [p.name in members and cost is not None for p, cost in zip(points, costs, strict=True)]
    name, unit = OBJECTIVES[objective]
    unit = task.currency or unit if objective is Objective.MONEY else unit
    time = objective is Objective.DEVICE_HOURS
    title = f"training run, time {units.on_one_device(comparison.unit)}" if time else f"{name} ({unit})"
    if objective is Objective.ENERGY and any(p.energy_source is Source.ESTIMATED for p in points):
        title += ", estimated"
    axis = ticks(positive, _ends(points) if time else (), time=time)
    return {
        "side": objective.value,
        "title": title[0].upper() + title[1:],
        "x": [None if cost is None else _short(cost) for cost in costs],
        "spread": _cost_bars(points, axis["range"]) if time else None,
        "frontier": [int(flag) for flag in on],
        "line": _line([(c, p) for c, p, flag in zip(costs, points, on, strict=True) if flag], max(positive)),
        "axis": axis,
    }


def _ends(points: Sequence[Point]) -> list[float]:
    """Of the bars of the frontier's costs."""
    return [end for p in points if p.frontier and p.device_hours for end in p.device_hours.interval or ()]


def _cost_bars(points: Sequence[Point], limits: Sequence[float]) -> list[list[float] | None]:
    """[down, up] of the 95 % interval of the cost, for the frontier alone: all of them would be a thicket.
    One that leaves the axis, from and to powers of ten in `limits`, ends just inside of it."""
    least, most = 10 ** (limits[0] + 0.01), 10 ** (limits[1] - 0.01)
    bars: list[list[float] | None] = []
    for point in points:
        cost = point.device_hours
        if not point.frontier or cost is None or cost.interval is None:
            bars.append(None)
            continue
        low, high = cost.interval
        bars.append([_short(cost.mean - max(low, least)), _short(min(high, most) - cost.mean)])
    return bars


def _line(frontier: Sequence[tuple[float | None, Point]], end: float) -> list[list[float]]:
    steps = sorted((c, p.quality.read.mean) for c, p in frontier if c is not None and p.quality is not None)
    if steps:
        steps.append((end, steps[-1][1]))
    return [[_short(cost) for cost, _ in steps], [_short(quality) for _, quality in steps]]


def _hover(point: Point, unit: str) -> list[str]:
    """The cell, and the lines below it."""
    cost = units.device_time(point.device_hours.mean if point.device_hours else None, unit)
    trained, total = units.short_count(point.trainable_parameters), units.short_count(point.total_parameters)
    seeds = f"{point.seeds} of {point.planned_seeds} seeds"
    lines = [
        text.score_of(point),
        f"a training run takes {cost}; {seeds}",
        f"{trained} of {total} parameters trained",
        probability_text(point.frontier_probability),
        text.remark(point),
    ]
    return [str(escape(point.name)), "<br>".join(str(escape(line)) for line in lines if line)]


def _sizes(points: Sequence[Point]) -> Mapping[int | None, float]:
    """Diameters whose areas grow with the logarithm of the total parameters, over the points of the plot."""
    logs = [math.log(p.total_parameters) for p in points if p.total_parameters]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    diameters: dict[int | None, float] = {}
    for point in points:
        share = 0.3
        if point.total_parameters and high > low:
            share = (math.log(point.total_parameters) - low) / (high - low)
        diameters[point.total_parameters] = round(math.sqrt(_SMALLEST + share * (_LARGEST - _SMALLEST)), 1)
    return diameters


def _short(value: float) -> float:
    """Six digits are more than a screen shows."""
    return float(f"{value:.6g}")
