"""The smallest difference that results could have shown, and what would show a smaller one."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from orchestrator.contracts.record import Record
from orchestrator.report.statistics.paired import MeanEstimate

MOST_SEEDS = 50  # that anyone will train
_NEAR = 0.6  # of the larger gain: from there on both are named


class Limit(StrEnum):
    """What keeps a smaller difference from being shown."""

    SEEDS = "seeds"
    DOCUMENTS = "documents"
    BOTH = "both"


class Settled(Record):
    """How many seeds would show a measured difference of `margin`, in units of quality. None for more than
    50: then only other means can help."""

    margin: float
    seeds: int | None


def limit_of(estimate: MeanEstimate, level: float) -> Limit | None:
    """Return which of the two would narrow the interval at this `level` more, if there were twice as much of
    it."""
    half = estimate.half(level)
    if half is None or estimate.seed_error is None:
        return None
    if estimate.documents is None or estimate.document_error == 0:
        return Limit.SEEDS
    fewer = _with_seeds(estimate, 2 * estimate.seeds).half(level)
    longer = replace(
        estimate, documents=2 * estimate.documents, document_error=estimate.document_error / math.sqrt(2)
    ).half(level)
    by_seeds, by_documents = half - (fewer or 0.0), half - (longer or 0.0)
    if min(by_seeds, by_documents) > _NEAR * max(by_seeds, by_documents):
        return Limit.BOTH
    return Limit.SEEDS if by_seeds > by_documents else Limit.DOCUMENTS


def seeds_needed(estimate: MeanEstimate, level: float, margin: float) -> int | None:
    """Return how many seeds narrow the interval at this `level` to `margin` on each side, if seeds and
    documents scatter as they did. None for more than `MOST_SEEDS`, and where nothing scatters."""
    if estimate.error is None:
        return None
    tried = range(estimate.seeds, MOST_SEEDS + 1)
    place = bisect_left(
        tried, True, key=lambda seeds: (_with_seeds(estimate, seeds).half(level) or 0) <= margin
    )
    return tried[place] if place < len(tried) else None


def _with_seeds(estimate: MeanEstimate, seeds: int) -> MeanEstimate:
    """Scale the estimate to other seeds. The documents' part stays; degrees of freedom grow with the seeds,
    also those of the other cells. One seed has none of its own, so there each further seed adds one."""
    assert estimate.seed_error is not None
    own = estimate.seeds - 1
    freedom = own if estimate.freedom is None else estimate.freedom
    return replace(
        estimate,
        seeds=seeds,
        seed_error=estimate.seed_error * math.sqrt(estimate.seeds / seeds),
        freedom=freedom * (seeds - 1) / own if own else freedom + seeds - 1,
    )


def joint_limit(limits: Iterable[Limit | None]) -> Limit | None:
    """Return the limit of several comparisons."""
    distinct = {limit for limit in limits if limit is not None}
    if not distinct:
        return None
    return distinct.pop() if len(distinct) == 1 else Limit.BOTH
