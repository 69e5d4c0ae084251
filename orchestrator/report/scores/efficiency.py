"""The composite efficiency scores of Taylor et al. 2024, and how much they depend on the set of points.

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

import itertools
import math
from collections.abc import Callable, Sequence
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple

from pydantic import Field, NonNegativeFloat

from orchestrator.contracts.record import Record

_GRAIN = 1e-12  # what sums of three shares may be off by


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


class ScorePoint(Record):
    """What a score is taken of; `values` by column, at least those that the preset needs."""

    name: str
    values: dict[str, NonNegativeFloat]


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


class Swap(Record):
    """Two points that change places when a third leaves the set."""

    without: str
    better: str  # of the two, with `without` in the set
    worse: str


class Stretch(Record):
    """Two points that change places when one joins the set that is far enough out in a column, or in several
    at once."""

    column: str  # several with "and" between them
    better: str  # of the two, in the set as it is
    worse: str


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
            f"The order depends on the range of {s.column}: with a point added far enough above it, "
            f"{s.worse} scores better than {s.better}."
            for s in self.stretches
        )
        return *dropped, *added

    @property
    def normalisation(self) -> tuple[str, ...]:
        """The set in words, a line a column."""
        return tuple(
            f"{s.column}: {s.low:,.15g} ({s.low_point}) to {s.high:,.15g} ({s.high_point})"
            + (", all equal: it says nothing" if s.low == s.high else "")
            for s in self.spans
        )


class _Formula(NamedTuple):
    inefficiency: Callable[[Sequence[ScorePoint]], list[float]]  # lower is better
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
        swaps=tuple(_swaps(preset, points, inefficiencies)),
        stretches=tuple(_stretches(preset, points, inefficiencies)),
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


def _swaps(preset: Preset, points: Sequence[ScorePoint], inefficiencies: Sequence[float]) -> list[Swap]:
    """Leave each point out in turn. Only one that alone sets an end of a column moves the others."""
    swaps = []
    for index in _alone_at_an_end(preset, points):
        rest = [*range(index), *range(index + 1, len(points))]
        without = _FORMULAS[preset].inefficiency([points[i] for i in rest])
        if pair := _overturned([inefficiencies[i] for i in rest], without):
            better, worse = (points[rest[i]].name for i in pair)
            swaps.append(Swap(without=points[index].name, better=better, worse=worse))
    return swaps


def _stretches(
    preset: Preset, points: Sequence[ScorePoint], inefficiencies: Sequence[float]
) -> list[Stretch]:
    """Add a point infinitely far out in some of the columns, and within the range in the others, for each
    choice of columns but all of them: the shares of all others go to 0 in these columns. Of choices that turn
    two points only the smallest are told.

    No nearer point need be tried. It leaves each column a part of its weight, the difference of two points is
    linear in each of the weights, and a function that is linear in each variable has its extremes over a box
    at the corners. Nor need one below the range, as figures end at 0: it leaves a part as well (of flops-v0
    all of it).
    """
    stretches: list[Stretch] = []
    reported: list[frozenset[str]] = []
    columns = COLUMNS[preset]
    for size in range(1, len(columns)):
        for out in itertools.combinations(columns, size):
            if any(fewer < frozenset(out) for fewer in reported):
                continue
            flat = [p.model_copy(update={"values": p.values | dict.fromkeys(out, 0.0)}) for p in points]
            if pair := _overturned(inefficiencies, _FORMULAS[preset].inefficiency(flat)):
                better, worse = (points[i].name for i in pair)
                stretches.append(Stretch(column=" and ".join(out), better=better, worse=worse))
                reported.append(frozenset(out))
    return stretches


def _overturned(before: Sequence[float], after: Sequence[float]) -> tuple[int, int] | None:
    """Two points of neighbouring places in the order `before`, the better one first, that `after` has the
    other way about. Points that are equal share a place."""
    places: list[list[tuple[float, float, int]]] = []
    for point in sorted(zip(before, after, range(len(before)), strict=True)):
        if places and point[0] - places[-1][0][0] <= _GRAIN:
            places[-1].append(point)
        else:
            places.append([point])
    for better, worse in itertools.pairwise(places):
        one, other = max(better, key=itemgetter(1)), min(worse, key=itemgetter(1))
        if one[1] - other[1] > _GRAIN:
            return one[2], other[2]
    return None


def _alone_at_an_end(preset: Preset, points: Sequence[ScorePoint]) -> list[int]:
    indices = set()
    for column in COLUMNS[preset]:
        values = [p.values[column] for p in points]
        for end in {min(values, default=0.0), max(values, default=0.0)}:
            if values.count(end) == 1:
                indices.add(values.index(end))
    return sorted(indices)
