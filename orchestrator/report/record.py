"""The report as data: every rendering (HTML, Markdown, CSV, JSON, console) is made from it."""

from __future__ import annotations

from orchestrator.contracts.ledger import Totals, device_unit
from orchestrator.contracts.record import Record
from orchestrator.report.analysis.across_tasks import AcrossTasks
from orchestrator.report.analysis.domains import DomainMatrix
from orchestrator.report.analysis.ownership import WhatIf
from orchestrator.report.analysis.replication import Replication
from orchestrator.report.results.collect import FailedTrial
from orchestrator.report.results.phases import PhaseCost
from orchestrator.report.results.weights_provenance import WeightsOrigin
from orchestrator.report.task_report import TaskReport


class RefusedCellReason(Record):
    cell: str
    reason: str


class Report(Record):
    """Computed from the ledger alone: the same ledger gives the same report, to the last byte."""

    sweep: str
    question: str | None
    frontier_version: str
    results_until: float | None  # Unix time at which the newest result ended
    notices: tuple[str, ...]
    tasks: tuple[TaskReport, ...]
    refused: tuple[RefusedCellReason, ...]
    failed: tuple[FailedTrial, ...]
    stale: tuple[str, ...]  # names of trials
    unfinished: tuple[str, ...]  # not ended, or not begun
    collapsed: tuple[str, ...] = ()  # trials that predict one class, finished or stopped for it
    domains: DomainMatrix | None = None
    replication: Replication | None = None
    what_if: WhatIf | None = None  # the sweep at other prices, where that was asked for
    across: tuple[AcrossTasks, ...] = ()  # one a comparison key
    totals: Totals
    phases: tuple[PhaseCost, ...] = ()  # of all attempts
    weights: tuple[WeightsOrigin, ...] = ()
    runs_from: str | None = None  # where runs come from that Frontier did not make
    provenance: dict[str, str]
    config: dict[str, object]

    @property
    def device_unit(self) -> str:
        """Of the sweep's totals: `core-hours`, `GPU-hours`, or `device-hours` where it used both."""
        units = {device_unit(s.device_type) for s in self.totals.spending if s.billed}
        return units.pop() if len(units) == 1 else "device-hours"
