"""Plotly figures of quality against a number that the grid varies. Colours come from the page's theme."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import escape

from orchestrator import units
from orchestrator.report import text
from orchestrator.report.analysis.sensitivity import SettingEffect, SettingSeries
from orchestrator.report.render.frontier_plot import COLOURS, floor
from orchestrator.report.render.scales import span
from orchestrator.report.task_report import TaskReport

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star")
_WIDE = 8.0  # largest over smallest value from which the axis is logarithmic
_APART = 0.02  # share of the axis by which neighbouring series are set apart


def axis_plot(task: TaskReport, axis: SettingEffect) -> dict[str, object]:
    """{data, layout, series} for Plotly and the legend; trace i is series i."""
    values = sorted({v.value for s in axis.series for v in s.values})
    log = values[0] > 0 and values[-1] / values[0] >= _WIDE
    points, guessed = [v for s in axis.series for v in s.values], floor(task)
    places = [math.log10(v) if log else v for v in values]
    reach = (places[-1] - places[0]) or 1.0
    traces = [
        _trace(s, i, _shift(i, len(axis.series), reach if log else 0.0)) for i, s in enumerate(axis.series)
    ]
    return {
        "data": traces,
        "layout": {
            "xaxis": {
                "type": "log" if log else "linear",
                "title": {"text": axis.title + (" (log scale)" if log else "")},
                "tickvals": values,
                "ticktext": [units.plain_number(v) for v in values],
                "range": [places[0] - 0.06 * reach, places[-1] + 0.06 * reach],
            },
            "yaxis": {
                "title": {"text": f"{text.short(task.metric_title)}, test"},
                "range": span(
                    [v.quality.read.mean for v in points],
                    [text.read_interval(v) for v in points],
                    guessed["value"] if guessed else None,
                ),
                "tickformat": ".2f",
            },
        },
        "guessing": guessed,
        "series": [
            {
                "label": s.label,
                "colour": trace["meta"]["colour"],
                "symbol": trace["marker"]["symbol"],
            }
            for s, trace in zip(axis.series, traces, strict=True)
        ],
    }


def _shift(index: int, count: int, reach: float) -> float:
    """The factor by which a series moves sideways, so that bars of one value do not hide each other."""
    return 10 ** ((index - (count - 1) / 2) / max(count, 4) * _APART * reach)


def _trace(series: SettingSeries, index: int, shift: float) -> dict[str, Any]:
    means = [v.quality.read.mean for v in series.values]
    ends = [text.read_interval(v) for v in series.values]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": str(escape(series.label)),
        "x": [v.value * shift for v in series.values],
        "y": means,
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [None if e is None else e[1] - m for e, m in zip(ends, means, strict=True)],
            "arrayminus": [None if e is None else m - e[0] for e, m in zip(ends, means, strict=True)],
            "thickness": 1,
            "width": 3,
        },
        "marker": {"symbol": _SYMBOLS[index // COLOURS % len(_SYMBOLS)], "size": 8},
        "line": {"width": 1.5},
        "customdata": _hover(series),
        "hovertemplate": "<b>%{customdata[0]}</b><br>%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
        "meta": {"colour": f"s{index % COLOURS}", "series": index},
    }


def _hover(series: SettingSeries) -> Sequence[list[str]]:
    return [
        [str(escape(text)) for text in (v.cell, units.plain_number(v.value), text.score_of(v))]
        for v in series.values
    ]
