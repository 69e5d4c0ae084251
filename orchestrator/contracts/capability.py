"""What runs under what: rows of the table that `workers.capabilities` measures and the plan asks."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import IO

from pydantic import model_validator

from orchestrator.contracts.record import Record
from orchestrator.contracts.vocabulary import TaskKind

COLUMNS = ("architecture", "method", "task_kind", "supported", "reason")


class Capability(Record):
    """One row: an architecture, a method and a kind of task, whether they work together, and if not, why."""

    architecture: str  # the `model_type` of transformers
    method: str  # the kind of method, or a variant of one: `lora+dora`
    task_kind: TaskKind
    supported: bool
    reason: str = ""

    @model_validator(mode="after")
    def _coherent(self) -> Capability:
        if self.supported == bool(self.reason):
            raise ValueError("a row that is not supported has a reason, another one has none")
        return self


def write_table(rows: Iterable[Capability], file: IO[str]) -> None:
    """Write the rows as CSV, sorted."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in sorted(rows, key=lambda r: (r.architecture, r.method, r.task_kind)):
        writer.writerow(
            [row.architecture, row.method, row.task_kind, "yes" if row.supported else "no", row.reason]
        )
