"""The seeds of a cell as the statistics take them, from their records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.metrics import METRICS
from orchestrator.contracts.vocabulary import Unit
from orchestrator.report.results.failed_seeds import SeedScore
from orchestrator.report.statistics.arrays import Floats
from orchestrator.report.statistics.replicates import Replicates


def replicates(name: str, scores: Sequence[SeedScore], folds: int | None = None) -> Replicates | None:
    """Return the replicates of `scores`, which are sorted by seed. None without any. `folds`: trainings of a
    seed, where there are several."""
    if not scores:
        return None
    with_examples = [one.examples for one in scores if one.examples is not None]
    sets = {examples.test_set for examples in with_examples}
    paired = len(with_examples) == sum(not one.failed for one in scores) and len(sets) == 1
    return Replicates(
        name=name,
        seeds=tuple(one.seed for one in scores),
        quality=np.array([one.quality for one in scores], dtype=np.float64),
        device_hours=np.array([one.device_hours for one in scores], dtype=np.float64),  # NaN for None
        parts=np.stack([_parts(one, len(with_examples[0].numerator)) for one in scores]) if paired else None,
        test_set=sets.pop() if paired else None,
        failed=frozenset(one.seed for one in scores if one.failed),
        unit=with_examples[0].unit if with_examples else Unit.DOCUMENT,
        folds=folds,
    )


def _parts(score: SeedScore, documents: int) -> Floats:
    if score.examples is None:
        return np.full(documents, score.quality)
    added = contributions(score.examples)
    return added if METRICS[score.examples.metric].higher_is_better else -added


def contributions(examples: ScoredExamples) -> Floats:
    """Return what each document adds to the ratio, to first order: their mean is the ratio, their variance
    over n that of the ratio over other documents."""
    numerator, denominator = (
        np.frombuffer(part, dtype=np.float32).astype(np.float64)
        for part in (examples.numerator, examples.denominator)
    )
    ratio = numerator.sum() / denominator.sum()
    added: Floats = ratio + (numerator - ratio * denominator) / denominator.mean()
    return added
