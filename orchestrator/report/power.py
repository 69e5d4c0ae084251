"""The smallest difference that results could have shown, and what would show a smaller one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from orchestrator.report.comparing import Estimate
from orchestrator.report.evidence import Limit

_NEAR = 0.6  # of the larger gain: from there on both are named


def limit_of(found: Estimate, level: float) -> Limit | None:
    """Which of the two would narrow the interval at this `level` more, if there were twice as much of it."""
    half = found.half(level)
    if half is None or found.seed_error is None:
        return None
    if found.documents is None or found.document_error == 0:
        return Limit.SEEDS
    freedom = 2 * (found.seeds - 1 if found.freedom is None else found.freedom)
    fewer = replace(
        found, seeds=2 * found.seeds, seed_error=found.seed_error / math.sqrt(2), freedom=freedom
    ).half(level)
    longer = replace(
        found, documents=2 * found.documents, document_error=found.document_error / math.sqrt(2)
    ).half(level)
    by_seeds, by_documents = half - (fewer or 0.0), half - (longer or 0.0)
    if min(by_seeds, by_documents) > _NEAR * max(by_seeds, by_documents):
        return Limit.BOTH
    return Limit.SEEDS if by_seeds > by_documents else Limit.DOCUMENTS


def joint_limit(found: Iterable[Limit | None]) -> Limit | None:
    """Of several comparisons."""
    known = {limit for limit in found if limit is not None}
    if not known:
        return None
    return known.pop() if len(known) == 1 else Limit.BOTH
