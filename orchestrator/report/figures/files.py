"""The files of the figures: PDF, SVG and PNG of each."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure

from orchestrator.contracts.files import write_atomically
from orchestrator.report.figures.draw import curves_figure, frontier_figure, of_comparison, quality_figure
from orchestrator.report.figures.look import FORMATS, SETTINGS
from orchestrator.report.record import Report
from orchestrator.report.render.frontier_plot import plot
from orchestrator.report.render.frontier_plot import style as page_style


def write_figures(report: Report, directory: Path) -> list[Path]:
    """Write each figure in each format; figures of an earlier report that this one lacks are deleted.

    The same report gives the same bytes, with the same version of matplotlib.
    """
    paths = []
    with style.context(["default", SETTINGS]):
        for name, figure in _figures(report):
            for kind, metadata in FORMATS.items():
                content = io.BytesIO()
                figure.savefig(content, format=kind, metadata=metadata)
                paths.append(directory / f"{name}.{kind}")
                write_atomically(paths[-1], content.getvalue())
    for kind in FORMATS:
        for path in set(directory.glob(f"*.{kind}")) - set(paths):
            path.unlink()
    return paths


def _figures(report: Report) -> Iterator[tuple[str, Figure]]:
    look = page_style(report)
    for task in report.tasks:
        for number, comparison in enumerate(task.comparisons, 1):
            ending = "" if len(task.comparisons) == 1 else f"-{number}"
            points = of_comparison(task, comparison)
            drawn = plot(task, comparison, look)
            if drawn is not None:
                for view in drawn["views"]:
                    name = _name("frontier", task.task, view["side"]) + ending
                    yield name, frontier_figure(points, drawn, view)
            if points:
                yield _name("quality", task.task) + ending, quality_figure(task, points)
            curves = [c for c in task.curves if c.comparison == comparison.label]
            if curves:
                yield _name("curves", task.task) + ending, curves_figure(task, curves)


def _name(*parts: str) -> str:
    """Return the name of a file: words of a task may hold anything."""
    return "-".join(re.sub(r"[^A-Za-z0-9._+]+", "-", part).strip("-.") for part in parts)
