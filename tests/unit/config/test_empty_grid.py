"""A sweep of which no cell can run says why, and how many reasons it leaves out."""

from __future__ import annotations

import pytest

from orchestrator.config import Catalogue
from orchestrator.config.grid import Grid
from orchestrator.config.grid_checks import check_grid
from orchestrator.config.source import KeySource
from orchestrator.contracts.sweep import RefusedCell
from orchestrator.contracts.trial import Cell


@pytest.mark.parametrize(
    ("reasons", "end"), [(3, "reason 2 (1)"), (4, "; and 1 more reason"), (9, "; and 6 more reasons")]
)
def test_reasons_that_are_not_shown_are_counted(reasons: int, end: str) -> None:
    cells = [Cell(model=f"m{n}", domain="d", method="full", task="t") for n in range(reasons)]
    refused = [RefusedCell(cell=cell, reason=f"reason {n}") for n, cell in enumerate(cells)]
    [problem] = check_grid(Grid(refused=refused), Catalogue(), KeySource("sweep.yaml", frozenset()))
    assert problem.problem.endswith(end)
