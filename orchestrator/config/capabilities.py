"""Look up in the measured table whether a cell can run, before anything is booked for it."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from orchestrator.config.catalogue import builtin_catalogue
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.capability import COLUMNS, Capability
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import ConfigError, Problem

TABLE = "capabilities.csv"  # beside the built-in catalogue

_FIX = "generate it again: python -m workers.capabilities > configs/capabilities.csv"


@dataclass(frozen=True)
class Capabilities:
    """Rows by architecture, method and kind of task."""

    rows: dict[tuple[str, str, TaskKind], Capability] = field(default_factory=dict)

    @property
    def architectures(self) -> list[str]:
        return sorted({architecture for architecture, _, _ in self.rows})

    @property
    def methods(self) -> list[str]:
        """Kinds of method, and variants of them."""
        return sorted({method for _, method, _ in self.rows})

    def refusal(self, backbone: BackboneSpec, settings: Settings, kind: TaskKind, gpus: float) -> str | None:
        """Return why the cell cannot run on `gpus` GPUs per trial, None if it may. An architecture without a
        row in the table may run: it was not measured."""
        if settings.quantised_to is not None and not gpus:
            return f"quantise: {settings.quantised_to} needs a GPU, and its trials get none"
        for method in settings.table_rows():
            row = self.rows.get((backbone.architecture, method, kind))
            if row is not None and not row.supported:
                return row.reason
        return None


def load_capabilities(path: Path | None = None) -> Capabilities:
    """Load the table at `path`, else the one that comes with the project. Raises ConfigError."""
    path = path or builtin_catalogue() / TABLE
    if not path.is_file():
        raise ConfigError([Problem(str(path), "", "there is no such table", _FIX)])
    problems: list[Problem] = []
    rows: dict[tuple[str, str, TaskKind], Capability] = {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        if tuple(next(reader, ())) != COLUMNS:
            problem = f"its first line is not {','.join(COLUMNS)}"
            raise ConfigError([Problem(str(path), "", problem, _FIX)])
        for cells in reader:
            try:
                row = _row(cells)
            except ValueError:
                problems.append(Problem(str(path), f"line {reader.line_num}", "is not a row", _FIX))
                continue
            rows[row.architecture, row.method, row.task_kind] = row
    if problems:
        raise ConfigError(problems)
    return Capabilities(rows)


def _row(cells: list[str]) -> Capability:
    """Parse one row. Raises ValueError."""
    values = dict(zip(COLUMNS, cells, strict=True))
    try:
        supported = {"yes": True, "no": False}[values.pop("supported")]
        return Capability.model_validate({**values, "supported": supported})
    except (KeyError, ValidationError) as wrong:
        raise ValueError from wrong
