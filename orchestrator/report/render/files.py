"""The files of a report."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import to_json  # with an indent, that of the standard library takes seconds

from orchestrator.contracts.files import write_atomically
from orchestrator.report.record import Report
from orchestrator.report.render.documents import html, latex, markdown, methods_html
from orchestrator.report.render.tables import frontier_csv, report_json


def write_report(report: Report, directory: Path) -> dict[str, Path]:
    """Write report.html, methods.html, report.md, report.json, frontier.csv and tables.tex; returns their
    paths by kind.

    The same report gives the same bytes.
    """
    contents = {
        "html": ("report.html", html(report)),
        "methods": ("methods.html", methods_html(report)),
        "markdown": ("report.md", markdown(report)),
        "json": ("report.json", to_json(report_json(report), indent=1).decode() + "\n"),
        "csv": ("frontier.csv", frontier_csv(report)),
        "latex": ("tables.tex", latex(report)),
    }
    paths = {kind: directory / name for kind, (name, _) in contents.items()}
    for kind, (_, content) in contents.items():
        write_atomically(paths[kind], content)
    return paths
