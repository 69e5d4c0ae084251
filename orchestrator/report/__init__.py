"""From the ledger to an answer: aggregates over seeds, the frontier, and its renderings."""

from orchestrator.report.build import build_report
from orchestrator.report.learning import with_curves
from orchestrator.report.model import Report
from orchestrator.report.tables import FrontierRow, frontier_rows, report_json
from orchestrator.report.write import write_report

__all__ = [
    "FrontierRow",
    "Report",
    "build_report",
    "frontier_rows",
    "report_json",
    "with_curves",
    "write_report",
]
