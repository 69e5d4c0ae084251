"""The report as HTML and Markdown, from the templates beside this file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from orchestrator.contracts.ledger import device_unit
from orchestrator.report import wording
from orchestrator.report.axis_plots import axis_plot, number
from orchestrator.report.model import Point, PointState, Report, TaskReport
from orchestrator.report.plots import plot, style


def html(report: Report) -> str:
    """One file with everything in it: it opens from disk and asks the network for nothing."""
    look = style(report)
    plots = {
        f"plot-{t}-{c}": drawn
        for t, task in enumerate(report.tasks)
        for c, comparison in enumerate(task.comparisons)
        if (drawn := plot(task, comparison, look)) is not None
    }
    plots |= {
        f"axis-{t}-{a}": axis_plot(task, axis)
        for t, task in enumerate(report.tasks)
        for a, axis in enumerate(task.axes)
    }
    library = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            plots=plots,
            look=look,
            plotly=library if plots else "",
            grids={task.task: grid(task) for task in report.tasks},
        )
    )


def markdown(report: Report) -> str:
    return _environment().get_template("report.md.j2").render(report=report)


def grid(task: TaskReport) -> dict[str, Any] | None:
    """Quality by backbone and method, shaded from worst (0) to best (1); None for a single row or column."""
    scored = [p for p in task.points if p.quality]
    methods = sorted({p.cell.method for p in scored})
    rows = sorted({(p.cell.model, p.cell.domain) for p in scored})
    if len(methods) < 2 or len(rows) < 2 or len(task.comparisons) > 1:
        return None
    means = [p.quality.mean for p in scored if p.quality]
    low, reach = min(means), (max(means) - min(means)) or 1.0
    at = {(p.cell.model, p.cell.domain, p.cell.method): p for p in scored}
    return {
        "methods": methods,
        "rows": [
            {"name": f"{m}/{d}", "cells": [_shade(at.get((m, d, method)), low, reach) for method in methods]}
            for m, d in rows
        ],
    }


def _shade(point: Point | None, low: float, reach: float) -> dict[str, Any] | None:
    if point is None or point.quality is None:
        return None
    share = round((point.quality.mean - low) / reach, 2)
    return {"text": wording.score(point.quality), "share": share, "frontier": point.frontier}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchestrator.report"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "hours": wording.hours,
        "count": wording.count,
        "score": wording.score,
        "interval": wording.interval,
        "signed": wording.signed,
        "times": wording.times,
        "number": number,
        "settings": wording.settings,
        "remark": wording.remark,
        "verdict": wording.verdict,
        "inside": wording.inside,
        "why": wording.why,
        "unit": device_unit,
        "moment": _moment,
        "pretty": _pretty,
        "cell": _table_cell,
        "scored": _scored,
        "unscored": _unscored,
    }
    return environment


def _moment(at: float | None) -> str:
    if at is None:
        return "no result yet"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def _table_cell(text: object) -> str:
    """Text that cannot break a Markdown table."""
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _scored(points: Sequence[Point]) -> list[Point]:
    return [p for p in points if p.seeds]


def _unscored(points: Sequence[Point]) -> list[Point]:
    """Without the refused ones, which stand by reason."""
    return [p for p in points if not p.seeds and p.state is not PointState.REFUSED]
