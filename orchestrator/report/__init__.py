"""From the ledger to an answer: aggregates over seeds, the frontier, and its renderings."""

from orchestrator.report.analysis.learning_curves import with_curves
from orchestrator.report.build import build_report
from orchestrator.report.record import Report
from orchestrator.report.render.files import write_changed_report, write_report
from orchestrator.report.render.report_json import report_json
from orchestrator.report.render.tables import FrontierRow, frontier_rows

__all__ = [
    "FrontierRow",
    "Report",
    "build_report",
    "frontier_rows",
    "report_json",
    "with_curves",
    "write_changed_report",
    "write_report",
]
