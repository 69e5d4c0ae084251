"""The seeds of one cell under one comparison key, and what each document adds to their scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from orchestrator.contracts.vocabulary import Unit
from orchestrator.report.statistics.arrays import GRAIN, Floats


@dataclass(frozen=True)
class Replicates:
    """By seed, rising. `parts`: [seeds, documents]; None, with `test_set`, unless all seeds tell of the same
    documents. `device_hours` are not a number where a seed has none. `failed`: the seeds that count with what
    guessing gives, each document alike."""

    name: str  # model/domain/method
    seeds: tuple[int, ...]
    quality: Floats
    device_hours: Floats
    parts: Floats | None
    test_set: str | None
    failed: frozenset[int] = frozenset()
    unit: Unit = Unit.DOCUMENT  # what its documents are
    folds: int | None = None  # trainings of a seed, which together tested each document; None: one
    dropped: int = 0  # seeds that failed and were left out, by `if_none_failed`

    @property
    def mean(self) -> float:
        return float(self.quality.mean())

    @property
    def overlap(self) -> float:
        """Return how many times the variance of a seed the training parts of its folds share; 0 without."""
        return overlap(self.folds)

    @property
    def scattered(self) -> bool:
        """Return whether some seeds failed and others worked: their scores are two groups, which no
        t-interval describes."""
        return 0 < len(self.failed) < len(self.seeds)

    @cached_property
    def if_none_failed(self) -> Replicates:
        """Return the cell by the seeds that worked, which can only flatter it: so what is better than this is
        better than the cell. The cell itself where none failed, none worked, or these scored worse."""
        places = [place for place, seed in enumerate(self.seeds) if seed not in self.failed]
        if not self.failed or not places or float(self.quality[places].mean()) < self.mean:
            return self
        return replace(
            self,
            seeds=tuple(self.seeds[place] for place in places),
            quality=self.quality[places],
            device_hours=self.device_hours[places],
            parts=None if self.parts is None else self.parts[places],
            failed=frozenset(),
            dropped=len(self.failed),
        )

    @cached_property
    def over_seeds(self) -> Floats | None:
        """Average `parts` over the seeds: [documents]."""
        return None if self.parts is None else self.parts.mean(axis=0)

    @cached_property
    def document_variance(self) -> float:
        """Return the part of the mean's variance that is due to documents; 0 for one seed, and without scores
        for each document."""
        if self.parts is None or self.over_seeds is None or min(self.parts.shape) < 2:
            return 0.0
        seeds = float(self.quality.var(ddof=1)) / len(self.quality)
        return of_documents(self.parts, self.over_seeds, seeds)

    @cached_property
    def differences(self) -> dict[object, tuple[Replicates, object]]:
        """Return the cache of `paired.difference`: several parts of a report ask for the same pairs."""
        return {}

    def of(self, seeds: Sequence[int]) -> Floats:
        return self.quality if tuple(seeds) == self.seeds else self.quality[self._places(seeds)]

    def parts_of(self, seeds: Sequence[int]) -> Floats:
        assert self.parts is not None
        return self.parts if tuple(seeds) == self.seeds else self.parts[self._places(seeds)]

    def _places(self, seeds: Sequence[int]) -> list[int]:
        return [self.seeds.index(seed) for seed in seeds]


def overlap(folds: int | None) -> float:
    """Return the part of the variance of a seed that no number of seeds averages out, for training parts that
    overlap (see `paired`); 0 for a test part."""
    return 0.0 if folds is None else folds / (folds - 1)


def of_documents(parts: Floats, over_seeds: Floats, seeds: float) -> float:
    """The variance of the mean that is due to documents; where neither these nor the seeds scatter beyond the
    residual, with the residual. `parts`: [k, n]; `seeds`: the part that is due to them."""
    k, n = parts.shape
    residual = parts - over_seeds
    residual -= residual.mean(axis=1, keepdims=True)
    mixed = float((residual**2).sum() / ((k - 1) * (n - 1)) / (k * n))
    spread = float(over_seeds.var(ddof=1) / n)
    return float(max(spread - mixed, 0.0)) if spread > mixed or math.sqrt(seeds) > GRAIN else spread
