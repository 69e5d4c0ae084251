"""How much the order of scored points depends on the set that the scores are scaled over."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from operator import itemgetter

from pydantic import NonNegativeFloat

from orchestrator.contracts.record import Record

_GRAIN = 1e-12  # what sums of three shares may be off by


class ScorePoint(Record):
    """What a score is taken of; `values` by column, at least those that the preset needs."""

    name: str
    values: dict[str, NonNegativeFloat]


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


Inefficiency = Callable[[Sequence[ScorePoint]], list[float]]  # of each point of a set; lower is better


def swaps_of(columns: Sequence[str], inefficiency: Inefficiency, points: Sequence[ScorePoint]) -> list[Swap]:
    """Leave each point out in turn. Only one that alone sets an end of a column moves the others."""
    swaps, inefficiencies = [], inefficiency(points)
    for index in _alone_at_an_end(columns, points):
        rest = [*range(index), *range(index + 1, len(points))]
        without = inefficiency([points[i] for i in rest])
        if pair := _overturned([inefficiencies[i] for i in rest], without):
            better, worse = (points[rest[i]].name for i in pair)
            swaps.append(Swap(without=points[index].name, better=better, worse=worse))
    return swaps


def stretches_of(
    columns: Sequence[str], inefficiency: Inefficiency, points: Sequence[ScorePoint]
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
    inefficiencies = inefficiency(points)
    for size in range(1, len(columns)):
        for out in itertools.combinations(columns, size):
            if any(fewer < frozenset(out) for fewer in reported):
                continue
            flat = [p.model_copy(update={"values": p.values | dict.fromkeys(out, 0.0)}) for p in points]
            if pair := _overturned(inefficiencies, inefficiency(flat)):
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


def _alone_at_an_end(columns: Sequence[str], points: Sequence[ScorePoint]) -> list[int]:
    indices = set()
    for column in columns:
        values = [p.values[column] for p in points]
        for end in {min(values, default=0.0), max(values, default=0.0)}:
            if values.count(end) == 1:
                indices.add(values.index(end))
    return sorted(indices)
