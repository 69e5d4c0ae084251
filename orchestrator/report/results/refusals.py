"""Cells that cannot run, grouped by their reason."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.contracts.record import Record
from orchestrator.contracts.sweep import RefusedCell


class RefusalGroup(Record):
    """Cells refused for one reason."""

    reason: str
    cells: tuple[str, ...]  # model/domain/method


def refusal_groups(refused: Sequence[RefusedCell]) -> tuple[RefusalGroup, ...]:
    """Group the refused cells by reason, the most frequent first."""
    groups: dict[str, list[str]] = {}
    for r in refused:
        groups.setdefault(r.reason, []).append(r.cell.label)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return tuple(RefusalGroup(reason=reason, cells=tuple(cells)) for reason, cells in ordered)
