"""The composite efficiency scores of Taylor et al. 2024.

A score scales each column over a set of points, so it belongs to the set: add a point, and all may move (far
enough out, it takes all weight from the column in which it does so, and the order is that of the others).
That is why the frontier, which needs no set, is the answer of a report, and these are only printed beside it.

The formulas are those of the authors' analysis notebooks (development branch, February and March 2024). With
x' = (x - min) / (max - min) over the set, and x' = 0 in a column whose values are all equal:

holistic   raw = -(seconds' + trainable' + total') / 3: at most 0, and 0 is the most efficient. One of their
           notebooks stops there, the later ones then rescale to 0..1: both are given.
flops-v0   s = (flops - min) / max + (trainable - min) / max; raw = largest s / s: how many times more
           efficient than the least efficient point, which has 1. "Divide by the maximum, then invert" is what
           the notebook does. A point that is lowest in both columns has s = 0 and no such number: raw and
           rescaled are None, and it ranks first. Where all points are alike, each has 1.
size-v1    raw = 1 - (seconds' + flops' + bytes'): 1 is the most efficient. They also drew its logarithm,
           which is not taken here.

`seconds` is the time to the best evaluation for holistic, the whole training for size-v1; `flops` those up to
the best evaluation for flops-v0, those of the whole training for size-v1. `trainable_parameters` leaves the
task's head out, as the paper does; under full fine-tuning it is the whole model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from pydantic import Field

from orchestrator.contracts.record import Record
from orchestrator.report.scores.set_dependence import (
    Inefficiency,
    ScorePoint,
    Stretch,
    Swap,
    stretches_of,
    swaps_of,
)
from orchestrator.units import plain_number


class TaskScores(Record):
    """The paper's composite score of a task's points, with the set it depends on."""

    scores: Scores
    notes: tuple[str, ...]


class Preset(StrEnum):
    HOLISTIC = "holistic"
    FLOPS_V0 = "flops-v0"
    SIZE_V1 = "size-v1"


COLUMNS: dict[Preset, tuple[str, ...]] = {
    Preset.HOLISTIC: ("seconds", "trainable_parameters", "total_parameters"),
    Preset.FLOPS_V0: ("flops", "trainable_parameters"),
    Preset.SIZE_V1: ("seconds", "flops", "model_bytes"),
}


# What a reader calls each column.
TITLES = {
    "seconds": "training time in seconds",
    "trainable_parameters": "trained parameters",
    "total_parameters": "parameters of the model",
    "flops": "FLOPs of training",
    "model_bytes": "bytes of the model",
}


class Span(Record):
    """The range over which a column was scaled, and the points that set it (the first, where several do)."""

    column: str
    low: float
    low_point: str
    high: float
    high_point: str


class Score(Record):
    """Higher is more efficient. None where the formula gives no finite number (flops-v0 alone)."""

    name: str
    raw: float | None
    rescaled: float | None  # raw, min-max scaled to 0..1 over the set; 0 where all are equal


class Scores(Record):
    preset: Preset
    scores: tuple[Score, ...]  # in the order of the points
    spans: tuple[Span, ...]  # the normalisation set: over all the points that were given
    points: int
    swaps: tuple[Swap, ...] = Field(default=())
    stretches: tuple[Stretch, ...] = Field(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for each point on which the order of the others hangs, and for each column."""
        dropped = (
            f"The order depends on {s.without}: without it, {s.worse} scores better than {s.better}."
            for s in self.swaps
        )
        added = (
            f"The order depends on the range of {_titles(s.column)}: with a point added far enough above it, "
            f"{s.worse} scores better than {s.better}."
            for s in self.stretches
        )
        return *dropped, *added

    @property
    def normalisation(self) -> tuple[str, ...]:
        """The set in words, a line a column."""
        return tuple(
            f"{TITLES[s.column]}: {plain_number(s.low)} ({s.low_point}) to "
            f"{plain_number(s.high)} ({s.high_point})"
            + (", all equal: it says nothing" if s.low == s.high else "")
            for s in self.spans
        )


def _titles(columns: str) -> str:
    """Return the titles of one column, or of several with "and" between them."""
    return " and ".join(TITLES[column] for column in columns.split(" and "))


class _Formula(NamedTuple):
    inefficiency: Inefficiency
    raw: Callable[[float, float], float | None]  # of one point's inefficiency, and the largest of the set


def score(preset: Preset, points: Sequence[ScorePoint]) -> Scores:
    """`points` is the normalisation set and what is scored; their names differ. Any number of them."""
    formula = _FORMULAS[preset]
    inefficiencies = formula.inefficiency(points)
    worst = max(inefficiencies, default=0.0)
    raws = [formula.raw(value, worst) for value in inefficiencies]
    finite = [raw for raw in raws if raw is not None]
    scale = _scaler(finite)
    return Scores(
        preset=preset,
        scores=tuple(
            Score(name=p.name, raw=raw, rescaled=None if raw is None else scale(raw))
            for p, raw in zip(points, raws, strict=True)
        ),
        spans=tuple(_span(column, points) for column in COLUMNS[preset] if points),
        points=len(points),
        swaps=tuple(swaps_of(COLUMNS[preset], formula.inefficiency, points)),
        stretches=tuple(stretches_of(COLUMNS[preset], formula.inefficiency, points)),
    )


def _holistic(points: Sequence[ScorePoint]) -> list[float]:
    return [math.fsum(shares) / 3 for shares in _scaled(Preset.HOLISTIC, points)]


def _size_v1(points: Sequence[ScorePoint]) -> list[float]:
    return [math.fsum(shares) for shares in _scaled(Preset.SIZE_V1, points)]


def _flops_v0(points: Sequence[ScorePoint]) -> list[float]:
    columns = [[p.values[column] for p in points] for column in COLUMNS[Preset.FLOPS_V0]]
    shares = [[(x - min(c)) / max(c) if max(c) else 0.0 for x in c] for c in columns]
    return [math.fsum(row) for row in zip(*shares, strict=True)]


_FORMULAS: dict[Preset, _Formula] = {
    Preset.HOLISTIC: _Formula(_holistic, lambda found, _: 0.0 - found),
    Preset.FLOPS_V0: _Formula(_flops_v0, lambda found, worst: _ratio(worst, found)),
    Preset.SIZE_V1: _Formula(_size_v1, lambda found, _: 1.0 - found),
}


def _ratio(worst: float, inefficiency: float) -> float | None:
    """1 for the least efficient, also where all are alike; None where the ratio is no finite number."""
    if inefficiency == worst:
        return 1.0
    ratio = worst / inefficiency if inefficiency else math.inf
    return ratio if math.isfinite(ratio) else None


def _scaled(preset: Preset, points: Sequence[ScorePoint]) -> list[tuple[float, ...]]:
    scaled = []
    for column in COLUMNS[preset]:
        values = [p.values[column] for p in points]
        scaled.append(list(map(_scaler(values), values)))
    return list(zip(*scaled, strict=True))


def _scaler(values: Sequence[float]) -> Callable[[float], float]:
    """Min-max scaling over `values`; 0 where they are all equal."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    # Halved first: the difference of two large floats can be infinite.
    reach = high / 2 - low / 2
    return (lambda x: (x / 2 - low / 2) / reach) if reach > 0 else (lambda x: 0.0)


def _span(column: str, points: Sequence[ScorePoint]) -> Span:
    low = min(points, key=lambda p: p.values[column])
    high = max(points, key=lambda p: p.values[column])
    return Span(
        column=column,
        low=low.values[column],
        low_point=low.name,
        high=high.values[column],
        high_point=high.name,
    )
