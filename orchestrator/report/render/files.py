"""The files of a report, written when they would differ or when the user asks for them."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import to_json  # with an indent, that of the standard library takes seconds

from orchestrator.contracts import layout
from orchestrator.contracts.files import file_digests, write_atomically
from orchestrator.contracts.record import Record
from orchestrator.report.record import Report
from orchestrator.report.render.documents import html, latex, methods_html, report_markdown
from orchestrator.report.render.report_json import report_json
from orchestrator.report.render.tables import frontier_csv

_KINDS = {
    "html": "report.html",
    "methods": "methods.html",
    "markdown": "report.md",
    "json": "report.json",
    "csv": "frontier.csv",
    "latex": "tables.tex",
}
_LIBRARIES = ("jinja2", "numpy", "plotly", "scipy")


class RenderedReport(Record):
    """`rendered.json`: the identity of a report and of the code that drew it, and the files that it gave."""

    made_from: str
    files: dict[str, str]  # SHA-256 by name


def write_report(report: Report, directory: Path) -> dict[str, Path]:
    """Write report.html, methods.html, report.md, report.json, frontier.csv and tables.tex; returns their
    paths by kind.

    The same report gives the same bytes.
    """
    contents = {
        "html": html(report),
        "methods": methods_html(report),
        "markdown": report_markdown(report),
        "json": to_json(report_json(report), indent=1).decode() + "\n",
        "csv": frontier_csv(report),
        "latex": latex(report),
    }
    paths = {kind: directory / name for kind, name in _KINDS.items()}
    for kind, content in contents.items():
        write_atomically(paths[kind], content)
    return paths


def write_changed_report(report: Report, sweep_directory: Path) -> Mapping[str, Path]:
    """Write the files as `write_report` does, unless the same report was drawn by the same code before, and
    its files are as they were then."""
    directory, kept = sweep_directory / layout.REPORT, sweep_directory / layout.RENDERED
    made_from = _identity(report)
    if _read(kept) != RenderedReport(made_from=made_from, files=_digests(directory)):
        kept.unlink(missing_ok=True)
        write_report(report, directory)
        written = RenderedReport(made_from=made_from, files=_digests(directory))
        write_atomically(kept, written.model_dump_json(indent=1) + "\n")
    return {kind: directory / name for kind, name in _KINDS.items()}


def _digests(directory: Path) -> dict[str, str]:
    there = file_digests(directory) if directory.is_dir() else {}
    return {name: there[name] for name in _KINDS.values() if name in there}


def _read(path: Path) -> RenderedReport | None:
    try:
        return RenderedReport.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _identity(report: Report) -> str:
    """Return the digest of a report, of the code of this package, and of the libraries that it draws with."""
    digest = hashlib.sha256(platform.python_version().encode())
    digest.update(" ".join(version(name) for name in _LIBRARIES).encode())
    package = Path(__file__).parents[2]
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".j2", ".css", ".js"):
            digest.update(f"\0{path.relative_to(package)}\0".encode() + path.read_bytes())
    digest.update(report.model_dump_json().encode())
    return digest.hexdigest()
