"""Plotly figures of learning curves: a line over the steps of training, its band the 95 % interval."""

from __future__ import annotations

from markupsafe import escape

from orchestrator.report import text
from orchestrator.report.analysis.curves import Curve
from orchestrator.report.render.frontier_plot import COLOURS
from orchestrator.report.render.markers import MARKERS
from orchestrator.report.render.scales import span
from orchestrator.report.results.point import Comparison
from orchestrator.report.task_report import TaskReport

_HOVER = "<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>"


def curve_plot(task: TaskReport, comparison: Comparison) -> dict[str, object] | None:
    """{data, layout, series} for Plotly and the legend. Series i are the traces whose `meta.series` is i: its
    band, where its seeds are more than one, and its line. Each has a symbol of its own; there are fewer
    colours, so that those which share one differ in the dash as well."""
    curves = [c for c in task.curves if c.comparison == comparison.label]
    if not curves:
        return None
    traces: list[dict[str, object]] = []
    series = []
    symbols = list(MARKERS)
    for index, curve in enumerate(curves):
        symbol, dash = symbols[index % len(symbols)], "dash" if index // COLOURS % 2 else "solid"
        meta = {"colour": f"s{index % COLOURS}", "series": index}
        traces += _band(curve, meta)
        traces.append(_line(curve, dash, symbol, meta))
        series.append({"label": curve.cell, "colour": meta["colour"], "symbol": symbol, "dash": dash})
    metric = text.short(task.metric_title)
    read = [v.quality.read for c in curves for v in c.values]
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "training steps"}, "rangemode": "tozero"},
            "yaxis": {
                "title": {"text": f"{metric}, dev"},
                "range": span([q.mean for q in read], [q.interval for q in read]),
                "tickformat": ".2f",
            },
        },
        "series": series,
    }


def _line(curve: Curve, dash: str, symbol: str, meta: dict[str, object]) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": str(escape(curve.cell)),
        "x": [round(v.step, 1) for v in curve.values],
        "y": [round(v.quality.read.mean, 5) for v in curve.values],
        "line": {"width": 1.8, "dash": dash},
        "marker": {"symbol": symbol, "size": 8},
        "customdata": [
            [str(escape(curve.cell)), f"step {v.step:,.0f}: {text.score_with_interval(v.quality)}"]
            for v in curve.values
        ],
        "hovertemplate": _HOVER,
        "meta": meta,
    }


def _band(curve: Curve, meta: dict[str, object]) -> list[dict[str, object]]:
    """One closed outline: there along the upper ends, and back along the lower ones."""
    read = [(v.step, v.quality.read.interval) for v in curve.values]
    ends = [(step, *interval) for step, interval in read if interval is not None]
    if not ends:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [round(step, 1) for step, _, _ in [*ends, *reversed(ends)]],
            "y": [round(high, 5) for _, _, high in ends] + [round(low, 5) for _, low, _ in reversed(ends)],
            "fill": "toself",
            "line": {"width": 0},
            "hoverinfo": "skip",
            "meta": {**meta, "band": True},
        }
    ]
