"""Seeds whose training failed: whether they count, with which score, and how the report says so.

A method whose training collapses or diverges with one seed in three does so for its user as well. To leave
such seeds out is to report the quality that it has when it works, and a comparison of those means prefers the
method that fails more often. So they count, as patients who left a trial count by intention to treat: each
with what its user is left with, which is what guessing gives. A trial that collapsed counts so whether
`stop_collapsed` ended it or not; a sweep's quality does not depend on a setting that saves money. The other
rule, `leave_out`, gives the quality of the seeds that worked; it, too, is the same under both settings.

A seed that was lost to the machine, to a time limit, to memory or to wrong input says nothing about what the
method learns, so it is missing, and moves no figure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.contracts.examples import ScoredExamples
from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.vocabulary import FailureKind, FailureRule
from orchestrator.report.results.cells import CellResults
from orchestrator.report.results.folds import SeedFolds
from orchestrator.report.results.result import FailedSeed, Key, Result

_TRAINING = {kind: kind.value.lower() for kind in sorted(FailureKind) if kind.blames_the_training}
# They tell of the machine or of a limit that the user set, and not of the cell.
_ELSEWHERE = {kind for kind in FailureKind if kind.blames_the_machine} | {FailureKind.TIMEOUT}


class Trainings(NamedTuple):
    """How many trainings of a cell were planned, and what they are."""

    number: int
    noun: str = "seeds"

    @classmethod
    def of(cls, seeds: int, folds: int | None) -> Trainings:
        return cls(seeds) if folds is None else cls(seeds * folds, "folds")

    def __str__(self) -> str:
        return f"{self.number} {self.noun}"


@dataclass(frozen=True)
class Counting:
    """How the seeds of a task count. `guessing`: what it gives on each metric, as the metric is read."""

    rule: FailureRule
    metric: MetricName
    guessing: Mapping[MetricName, float]

    @property
    def floor(self) -> float | None:
        """Return the quality of a seed that failed, higher is better; None where it is left out."""
        return None if self.rule is FailureRule.LEAVE_OUT else self.guessed

    @property
    def guessed(self) -> float | None:
        """Return the quality of guessing."""
        score = self.guessing.get(self.metric)
        return score if score is None or METRICS[self.metric].higher_is_better else -score


@dataclass(frozen=True)
class SeedScore:
    """One seed of a cell. `device_hours` and `examples` are None where they are unknown. `failed`: its
    training did, or with folds that of some of them."""

    seed: int
    quality: float
    failed: bool = False
    device_hours: float | None = None
    examples: ScoredExamples | None = None


def seed_scores(cell: CellResults, key: Key, counting: Counting) -> list[SeedScore]:
    """Return the seeds that count under one comparison key, by seed."""
    scores = [_score(r, counting.floor) for r in cell.results if r.key == key]
    if counting.floor is not None:
        scores += [SeedScore(f.seed, counting.floor, failed=True) for f in failed_under(cell, key)]
    return sorted((one for one in scores if one is not None), key=lambda one: one.seed)


def _score(result: Result, floor: float | None) -> SeedScore | None:
    lost = 1.0 if result.collapsed else result.failed_share
    quality = floor if result.collapsed else result.quality
    if quality is None or (lost and floor is None):
        return None
    if floor is not None:
        quality += lost * (floor - quality)
    examples = None if lost else result.examples
    return SeedScore(result.seed, quality, bool(lost), result.device_hours, examples)


def keys_of(cell: CellResults) -> list[Key]:
    """Return the comparison keys under which seeds of a cell count, most results first."""
    counts = Counter(r.key for r in cell.results) or Counter(
        f.key for f in cell.failures if f.kind.blames_the_training and f.key is not None
    )
    return sorted(counts, key=lambda key: (-counts[key], repr(key)))


def failed_under(cell: CellResults, key: Key) -> list[FailedSeed]:
    """Return the seeds whose training failed. One under a key without a result is assigned to the key that
    has most: that training fails does not depend on the device."""
    keys = keys_of(cell)
    failed = [f for f in cell.failures if f.kind.blames_the_training]
    return [f for f in failed if f.key == key or (f.key not in keys and key == keys[0])]


def failed_seeds(cell: CellResults) -> dict[FailureKind, int]:
    """Count the failed seeds of a cell by kind, or its failed folds, including those that collapsed and
    finished."""
    parts: list[CellResults | SeedFolds] = [*cell.folds.values()] or [cell]
    counts = Counter(failure.kind for part in parts for failure in part.failures)
    counts[FailureKind.COLLAPSED] += sum(result.collapsed for part in parts for result in part.results)
    return {kind: counts[kind] for kind in FailureKind if counts[kind]}


def failure_note(failed: Mapping[FailureKind, int], planned: Trainings) -> str:
    """Return what a sentence adds to the name of a cell, `1 of 3 seeds collapsed`; empty where no failure is
    due to the cell."""
    return _sentence({kind: n for kind, n in failed.items() if kind not in _ELSEWHERE}, planned)


def lost(failed: Mapping[FailureKind, int], planned: Trainings) -> str:
    """Count the seeds that the machine or a limit ended."""
    return _sentence({kind: n for kind, n in failed.items() if kind in _ELSEWHERE}, planned)


def _sentence(failed: Mapping[FailureKind, int], planned: Trainings) -> str:
    of = f"of {planned}"
    parts = [f"{failed[kind]} {of} {word}" for kind, word in _TRAINING.items() if failed.get(kind)]
    others = [kind for kind in failed if kind not in _TRAINING]
    if others:
        parts.append(f"{sum(failed[k] for k in others)} {of} failed ({', '.join(sorted(others))})")
    return ", ".join(parts)


def note_on_several(marks: Sequence[tuple[Mapping[FailureKind, int], Trainings]]) -> str:
    """Return the note on several cells together."""
    failed: Counter[FailureKind] = Counter()
    for failures, _ in marks:
        failed.update(failures)
    nouns = {planned.noun for _, planned in marks}
    noun = nouns.pop() if len(nouns) == 1 else "trainings"
    return failure_note(failed, Trainings(sum(planned.number for _, planned in marks), noun))
