"""Results with a known truth: a population of documents and seeds from which sweeps are drawn.

A document is answered right where skill + effects of the document, of the cell on it, of the seed, and of the
seed on it add up to more than 0, all of them normal: so the true accuracy is a normal integral, and seeds and
documents scatter, and mix, as they do in fine-tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from orchestrator.contracts.examples import ScoredExamples, floats
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.trial import Cell
from orchestrator.report.results.point import Point, PointState
from orchestrator.report.results.replicates import contributions
from orchestrator.report.statistics.replicates import Replicates
from orchestrator.report.statistics.summary import summarise

MENTIONS, SPURIOUS = 4.0, 0.5  # of a document, in the mean: there, and found where nothing is


@dataclass(frozen=True)
class World:
    """Standard deviations. `seed`: of a cell's skill over seeds; `own`: of a cell on a document."""

    seed: float
    document: float = 1.0
    own: float = 0.5
    mixed: float = 0.5

    @property
    def spread(self) -> float:
        return float(np.sqrt(self.seed**2 + self.document**2 + self.own**2 + self.mixed**2))

    def draw(
        self,
        accuracies: Sequence[float],
        seeds: int,
        documents: int,
        rng: np.random.Generator,
        *,
        f1: bool = False,
        scatter: Sequence[float] | None = None,
    ) -> list[Replicates]:
        """A cell for each true accuracy (of a mention with `f1`), on one draw of documents. `scatter`: of the
        skill of each cell over seeds, where it is not that of the world."""
        count = 1 + rng.poisson(MENTIONS - 1, documents) if f1 else np.ones(documents, dtype=int)
        place = np.repeat(np.arange(documents), count)
        on_document = self.document * rng.standard_normal(documents)
        worlds = [self] * len(accuracies) if scatter is None else [replace(self, seed=s) for s in scatter]
        return [
            world._cell(f"m{i}/general/full", a, seeds, on_document, place, rng, f1)
            for i, (world, a) in enumerate(zip(worlds, accuracies, strict=True))
        ]

    def _cell(self, name, accuracy, seeds, on_document, place, rng, f1) -> Replicates:
        n = len(on_document)
        skill = ndtri(accuracy) * self.spread
        on_document = on_document + self.own * rng.standard_normal(n)
        parts = []
        for _ in range(seeds):
            level = skill + self.seed * rng.standard_normal()
            score = level + on_document[place] + self.mixed * rng.standard_normal(len(place))
            right = np.bincount(place, weights=score > 0, minlength=n)
            wanted = np.bincount(place, minlength=n)
            both = right + rng.poisson(SPURIOUS, n) + wanted if f1 else wanted
            parts.append(contributions(_record(2 * right if f1 else right, both)))
        quality = np.array([part.mean() for part in parts])
        hours = np.full(seeds, 1.0) * np.exp(0.05 * rng.standard_normal(seeds))
        return Replicates(name, tuple(range(seeds)), quality, hours, np.stack(parts), "t")


def point_of(cell: Replicates) -> Point:
    """As the report has it."""
    model, domain, method = cell.name.split("/")
    return Point(
        cell=Cell(model=model, domain=domain, method=method, task="t"),
        backbone=None,
        state=PointState.FINISHED,
        seeds=len(cell.seeds),
        comparison="cpu, fp32",
        quality=summarise(list(cell.quality)),
        device_hours=summarise(list(cell.device_hours)),
    )


def true_f1(accuracy: float) -> float:
    """Of `World.draw(f1=True)`."""
    return 2 * MENTIONS * accuracy / (MENTIONS * (1 + accuracy) + SPURIOUS)


def _record(numerator, denominator) -> ScoredExamples:
    return ScoredExamples(
        metric=MetricName.ACCURACY,
        test_set="t",
        numerator=floats(numerator),
        denominator=floats(denominator),
    )
