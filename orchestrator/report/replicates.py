"""The seeds of one cell under one comparison key, and what each document adds to their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.report.results import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Replicates:
    """By seed, rising. `parts`: [seeds, documents]; None, with `test_set`, unless all seeds tell of the same
    documents. `device_hours` are not a number where a seed has none."""

    name: str  # model/domain/method
    seeds: tuple[int, ...]
    quality: Floats
    device_hours: Floats
    parts: Floats | None
    test_set: str | None

    @property
    def mean(self) -> float:
        return float(self.quality.mean())

    def of(self, seeds: Sequence[int]) -> Floats:
        return self.quality[self._places(seeds)]

    def parts_of(self, seeds: Sequence[int]) -> Floats:
        assert self.parts is not None
        return self.parts[self._places(seeds)]

    def _places(self, seeds: Sequence[int]) -> list[int]:
        return [self.seeds.index(seed) for seed in seeds]


def replicates(name: str, results: Sequence[Result]) -> Replicates | None:
    """None where no seed has a quality."""
    scored = sorted(((r.seed, r) for r in results if r.quality is not None), key=lambda found: found[0])
    if not scored:
        return None
    told = [r.examples for _, r in scored if r.examples is not None]
    sets = {examples.test_set for examples in told}
    paired = len(told) == len(scored) and len(sets) == 1
    return Replicates(
        name=name,
        seeds=tuple(seed for seed, _ in scored),
        quality=np.array([r.quality for _, r in scored], dtype=np.float64),
        device_hours=np.array([r.device_hours for _, r in scored], dtype=np.float64),  # NaN for None
        parts=np.stack([contributions(examples) for examples in told]) if paired else None,
        test_set=sets.pop() if paired else None,
    )


def contributions(examples: ScoredExamples) -> Floats:
    """What each document adds to the ratio, to first order: their mean is the ratio, their variance over n
    that of the ratio when documents are drawn anew."""
    numerator, denominator = (
        np.frombuffer(part, dtype=np.float32).astype(np.float64)
        for part in (examples.numerator, examples.denominator)
    )
    ratio = numerator.sum() / denominator.sum()
    found: Floats = ratio + (numerator - ratio * denominator) / denominator.mean()
    return found
