"""The records of a sweep in a cluster, as far as this machine can reach them."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path

from rich.console import Console

from orchestrator.cli.reporting import show_report
from orchestrator.contracts import layout
from orchestrator.errors import LedgerError
from orchestrator.report import build_report, write_report
from orchestrator.tracking.ledger import Ledger


class RemoteRecords:
    """`written_to`: the storage as the pods see it; `here`: the same storage as this machine sees it, where
    that is another path."""

    def __init__(self, sweep: str, written_to: str, here: str | None) -> None:
        self._sweep, self._written_to = sweep, written_to
        self._directory = Path(here or written_to) / sweep
        self._ledger = Ledger(self._directory)

    def counts(self) -> str | None:
        """`trials: 3 finished, 1 running`; None where the records are out of reach or not begun."""
        if not (self._directory / layout.SWEEP).is_file():
            return None
        try:
            states = Counter(record.state.value for record in self._ledger.trials())
        except (LedgerError, OSError):
            return None
        return "trials: " + ", ".join(f"{count} {state}" for state, count in sorted(states.items()))

    def show_report(self, console: Console) -> None:
        if not (self._directory / layout.SWEEP).is_file():
            console.print(
                f"the records are in {self._written_to}/{self._sweep}, the report in {layout.REPORT}/ there; "
                "with --storage PATH this command shows it where that storage is mounted here",
                highlight=False,
                soft_wrap=True,
            )
            return
        beside = chain(self._ledger.candidates(), self._ledger.removed())
        report = build_report(self._ledger.sweep(), self._ledger.trials(), beside)
        try:
            paths = write_report(report, self._directory / layout.REPORT)
        except OSError:  # mounted read-only: the driver has written the same
            paths = {"html": self._directory / layout.REPORT / "report.html"}
        show_report(report, paths, console)
