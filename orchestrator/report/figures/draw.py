"""The figures of one task: a frontier per cost axis, quality by method, learning curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from orchestrator.report import text
from orchestrator.report.analysis.curves import Curve
from orchestrator.report.figures.look import (
    BAND,
    COLOURS,
    DASHES,
    FAINT,
    HEIGHT,
    INK,
    LINE,
    MARKERS,
    WIDTH,
)
from orchestrator.report.render.plot_data import CostView, FrontierPlot, QualityFloor
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.task_report import TaskReport

_MOST_METHODS = len(MARKERS)  # more of them share one marker
_COLUMNS = 3  # of a legend
_SPREAD = 0.7  # of a row's height: what its points are spread over, so that their intervals do not meet
_SMALL = 7  # points of text below the axes


def signs(points: Sequence[Point]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the marker of each method and the colour of each domain."""
    methods, domains = sorted({p.cell.method for p in points}), sorted({p.cell.domain for p in points})
    markers = dict(zip(methods, MARKERS, strict=False))
    if len(methods) > _MOST_METHODS:
        markers = dict.fromkeys(methods, MARKERS[0])
    return markers, {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(domains)}


def frontier_figure(points: Sequence[Point], drawn: FrontierPlot, view: CostView) -> Figure:
    """Draw one cost axis. `drawn` and `view` are those of the page's plot (`render.frontier_plot`), in the
    order of `points`; the frontier is filled and numbered, and named below."""
    markers, colours = signs(points)
    costs = {i: cost for i, cost in enumerate(view["x"]) if cost is not None}
    members = sorted((i for i, on in enumerate(view["frontier"]) if on), key=costs.__getitem__)
    keys = _keys(markers, colours)
    rows = len(members) + -(-len(keys) // _COLUMNS) + 1
    figure, axes = _axes(rows)
    for i, cost in costs.items():
        cell = points[i].cell
        _point(axes, cost, (drawn, view, i), markers[cell.method], colours[cell.domain])
    for number, i in enumerate(members, 1):
        at = (costs[i], drawn["y"][i])
        axes.annotate(str(number), at, xytext=(4, 4), textcoords="offset points", fontsize=_SMALL)
    axes.step(*view["line"], where="post", linestyle=":", color=INK, linewidth=1, zorder=1)
    _floor(axes, drawn["guessing"], drawn["axis"]["range"])
    _cost_axis(axes, view)
    axes.set(ylabel=drawn["axis"]["title"], ylim=drawn["axis"]["range"])
    names = [f"{number}  {_named(points[i])}" for number, i in enumerate(members, 1)]
    _below(figure, names, keys)
    return figure


def quality_figure(task: TaskReport, points: Sequence[Point]) -> Figure:
    """Draw the quality of each cell by method, the best method on top; a line marks the mean of a method."""
    by_method: dict[str, list[float]] = {}
    for point in points:
        if point.quality is not None:
            by_method.setdefault(point.cell.method, []).append(point.quality.read.mean)
    means = {method: sum(values) / len(values) for method, values in by_method.items()}
    order = sorted(means, key=lambda method: (means[method], method), reverse=task.loss)
    _, colours = signs(points)
    keys = _keys({}, colours)
    most = max(map(len, by_method.values()), default=1)
    figure, axes = _axes(1 + -(-len(keys) // _COLUMNS), height=0.9 + (0.1 + 0.08 * most) * len(order))
    placed: Counter[str] = Counter()
    for point in points:
        if point.quality is None:
            continue
        low, high = text.read_interval(point) or (None, None)
        method = point.cell.method
        mean = point.quality.read.mean
        at = order.index(method) - _SPREAD * ((placed[method] + 0.5) / len(by_method[method]) - 0.5)
        placed[method] += 1
        colour = colours[point.cell.domain]
        if low is not None and high is not None:
            axes.plot([low, high], [at, at], color=colour, linewidth=0.6, alpha=0.6)
        axes.plot(mean, at, "o", color=colour, fillstyle="full" if point.frontier else "none")
    for at, method in enumerate(order):
        axes.plot([means[method]] * 2, [at - _SPREAD / 2, at + _SPREAD / 2], color=INK, linewidth=1.4)
    axes.set(yticks=range(len(order)), yticklabels=order, xlabel=text.short(task.metric_title) + ", test")
    axes.grid(axis="y", visible=False)
    _below(figure, [], keys)
    return figure


def curves_figure(task: TaskReport, curves: Sequence[Curve]) -> Figure:
    """Draw quality on dev by training step; a band is the 95 % interval over the seeds."""
    keys = []
    rows = -(-len(curves) // 2)
    figure, axes = _axes(rows + 1)
    for number, curve in enumerate(curves):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number // len(COLOURS) % len(DASHES)]
        marker = MARKERS[number % len(MARKERS)]
        read = [(value.step, value.quality.read) for value in curve.values]
        look: dict[str, Any] = {"color": colour, "linestyle": dash, "marker": marker, "markersize": 4}
        axes.plot(
            [step for step, _ in read], [q.mean for _, q in read], markevery=max(1, len(read) // 8), **look
        )
        ends = [(step, *q.interval) for step, q in read if q.interval is not None]
        if ends:
            steps, low, high = zip(*ends, strict=True)
            axes.fill_between(steps, low, high, color=colour, alpha=BAND, linewidth=0)
        keys.append(Line2D([], [], label=curve.cell, **look))
    axes.set(xlabel="training steps", ylabel=f"{text.short(task.metric_title)}, dev")
    axes.set_xlim(left=0)
    _below(figure, [], keys, columns=2)
    return figure


def of_comparison(task: TaskReport, comparison: Comparison) -> list[Point]:
    """Return the points that the plots of a comparison key draw, in their order."""
    return [p for p in task.points if p.comparison == comparison.label and p.quality is not None]


def _axes(rows: int, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Return a figure with room for so many lines of text below its axes."""
    total = height + rows * LINE
    figure = Figure(figsize=(WIDTH, total))
    bottom = (rows * LINE + 0.4) / total
    axes = figure.add_axes((0.11, bottom, 0.86, 1 - bottom - 0.12 / total))
    return figure, axes


def _point(axes: Axes, x: float, at: tuple[FrontierPlot, CostView, int], marker: str, colour: str) -> None:
    drawn, view, i = at
    on = bool(view["frontier"][i])
    y, low, high = drawn["y"][i], drawn["low"][i], drawn["high"][i]
    spread = view["spread"][i] if on and view["spread"] else None
    beside = [[max(0.0, end)] for end in spread] if spread else None
    above = None if low is None or high is None else [[max(0.0, y - low)], [max(0.0, high - y)]]
    axes.errorbar(
        x,
        y,
        xerr=beside,
        yerr=above,
        marker=marker,
        color=colour,
        markerfacecolor=colour if on else "white",
        markeredgewidth=0.9,
        ecolor=colour if on else FAINT,
        elinewidth=0.6,
        capsize=1.5 if on else 0,
        zorder=3 if on else 2,
    )


def _cost_axis(axes: Axes, view: CostView) -> None:
    low, high = view["axis"]["range"]
    axes.set_xscale("log")
    axes.set(xlim=(10**low, 10**high), xlabel=f"{view['title']}, log scale")
    axes.xaxis.set_minor_locator(NullLocator())
    if "tickvals" in view["axis"]:
        axes.set_xticks(view["axis"]["tickvals"], view["axis"]["ticktext"])


def _floor(axes: Axes, guessing: QualityFloor | None, span: Sequence[float]) -> None:
    """Draw what guessing scores: a line, or a note at the edge that it is beyond."""
    if guessing is None:
        return
    low, high = span
    value = guessing["value"]
    beyond = " ↓" if value < low else " ↑" if value > high else ""
    if not beyond:
        axes.axhline(value, linestyle="--", color=FAINT, linewidth=0.9, zorder=1)
    axes.text(
        1,
        min(max(value, low), high),
        guessing["label"] + beyond,
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="top" if value > high else "bottom",
        fontsize=_SMALL,
        color=FAINT,
    )


def _keys(markers: Mapping[str, str], colours: Mapping[str, str]) -> list[Line2D]:
    """Return the keys of a legend: methods by marker where each has its own, domains by colour."""
    own = markers if len(set(markers.values())) == len(markers) else {}
    keys = [
        Line2D([], [], linestyle="", marker=marker, color=INK, fillstyle="none", label=method)
        for method, marker in own.items()
    ]
    return keys + [
        Line2D([], [], linestyle="", marker="s", color=colour, label=f"{domain} (domain)")
        for domain, colour in colours.items()
    ]


def _named(point: Point) -> str:
    return f"{point.name}: {text.mean_text(point.quality)}"


def _below(figure: Figure, lines: Sequence[str], keys: Sequence[Line2D], columns: int = _COLUMNS) -> None:
    """Write the names of the frontier and the legend below the axes."""
    height = figure.get_figheight()
    rows = -(-len(keys) // columns)
    for number, line in enumerate(lines):
        at = (rows + len(lines) - number - 0.2) * LINE / height
        figure.text(0.11, at, line, fontsize=_SMALL, va="center")
    figure.legend(
        handles=list(keys),
        loc="lower left",
        bbox_to_anchor=(0.09, 0.0),
        ncols=columns,
        fontsize=_SMALL,
        handletextpad=0.4,
        columnspacing=1.2,
        labelspacing=0.3,
        borderaxespad=0.2,
    )
