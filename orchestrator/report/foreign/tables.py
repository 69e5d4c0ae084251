"""Runs from a CSV file: with a mapping, or with columns that are called as the fields of a run."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import ConfigError, Problem
from orchestrator.report.foreign.mapping import NEEDED, RunField, RunMapping
from orchestrator.report.foreign.runs import Run, RunRow, runs_of
from orchestrator.report.scores.table import Rows, read_score_rows

_COLUMN = "correct the columns of the table, or give a --mapping"


def runs_of_table(path: Path, mapping: RunMapping | None, mapped_in: str) -> list[Run]:
    """Return the runs of a table. Raises ConfigError with every mistake."""
    rows, problems = read_score_rows(
        path, [field.value for field in NEEDED] if mapping is None else mapping.used
    )
    if problems:
        raise ConfigError(problems)
    if mapping is None:
        mapping, mapped_in = _of_names(path, rows), str(path)
    return runs_of(
        [RunRow(str(path), f"line {line}", row) for line, row in rows], mapping, str(path), mapped_in
    )


def _of_names(path: Path, rows: Rows) -> RunMapping:
    """Return the mapping of columns that are called as the fields."""
    names = {field.value for field in NEEDED}.union(*(row for _, row in rows[:1]))
    try:
        return RunMapping(columns={field: field.value for field in RunField if field.value in names})
    except ValidationError as error:
        inner = [fault["ctx"]["error"] for fault in error.errors()]
        problems = [problem for one in inner for problem in one.problems]
        raise ConfigError(
            [Problem(str(path), p.key.removeprefix("columns."), p.problem, _COLUMN) for p in problems]
        ) from None
