"""Which differences hold: families of comparisons, each corrected as a whole, each in a plain sentence.

The families `methods`, `domains` and `models` are planned: every two levels of one part of the grid, over the
combinations of the other two that both have scores for, so that nothing is mixed. Their seeds are paired, and
so are the documents of the test part. The family `teachers` compares each student with its teacher.

The family `frontier` compares points that were picked by their results. A pick is only honest if it pays for
all that could have been picked: it is corrected for every two scored points. Of up to 20 of them every two
are tested, and what is distinguishable elsewhere no longer has to be paid for; of more, those that were
not picked are assumed not to differ. Corrections are Holm's (1979).

The variance over seeds is moderated over the cells of the task (`moderation`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from types import MappingProxyType

from pydantic import Field

from orchestrator.contracts.record import Record
from orchestrator.report.analysis import claim_text
from orchestrator.report.analysis.claim_text import SetVerdict
from orchestrator.report.results.point import Point
from orchestrator.report.statistics.moderation import Prior
from orchestrator.report.statistics.multiple_testing import holm
from orchestrator.report.statistics.paired import MeanEstimate, comparable, difference, mean_difference
from orchestrator.report.statistics.power import Limit, limit_of
from orchestrator.report.statistics.replicates import Replicates

LEVEL = 0.05
MOST_LEVELS = 8  # whose every two are compared; of more, each with one
MOST_CLAIMS = 40
MOST_MEMBERS = 20  # of a frontier, whose every two are compared
MOST_PAIRED = 20  # scored cells, whose every two are tested for what is picked of them

Compared = tuple[str, str, MeanEstimate]  # one, other, and what one has more
# Of the cell that scored highest and another one, by name: what the set of the best says of that one.
BySet = Mapping[tuple[str, str], SetVerdict]
_NO_SET: BySet = MappingProxyType({})


class Claim(Record):
    """One comparison: `better` has the higher mean. Names are those of the family's kind: a cell
    (model/domain/method), a method, a domain or a model.

    `difference` is in units of quality (0.012 is 1.2 points), never negative. `interval` is its 95 %
    interval, which holds for all of the family at once; `adjusted` the p-value, corrected over it. All three
    of `interval`, `p` and `adjusted` are None where nothing can be claimed: fewer than two seeds are shared,
    or one of two cells has seeds that failed and others that worked, and the difference is not shown even so.

    For two that are not distinguishable `detectable` is the smallest difference that these results could have
    shown, in units of quality, and `limit` what would show a smaller one.
    """

    better: str
    worse: str
    difference: float
    interval: tuple[float, float] | None
    p: float | None  # two-sided
    adjusted: float | None
    seeds: int  # paired
    examples: int | None  # documents of the test part, paired; None: the seeds alone speak
    # adjusted < 0.05; None where they cannot be compared
    distinguishable: bool | None = Field(serialization_alias="told_apart")
    sentence: str
    detectable: float | None = None
    limit: Limit | None = None
    by_best_set: SetVerdict | None = None  # of `worse`, by another test; None where it compares others


class ClaimFamily(Record):
    """Claims that are corrected together, of one task under one comparison key."""

    name: str  # methods, domains, models, frontier, teachers
    title: str
    comparison: str | None
    correction: str  # "Holm"
    size: int  # comparisons corrected for: for points picked by their results, all that could be picked
    claims: tuple[Claim, ...]  # largest difference first; those of `frontier` by cost
    notes: tuple[str, ...] = ()


def factor_families(
    points: Sequence[Point],
    replicates: Mapping[str, Replicates],
    scale: claim_text.DifferenceUnit,
    prior: Prior | None = None,
    by_set: BySet = _NO_SET,
) -> list[ClaimFamily]:
    """Compare the methods, the domains and the models of one task and comparison key."""
    parts: list[tuple[str, Callable[[Point], tuple[str, tuple[str, str]]]]] = [
        ("methods", lambda p: (p.cell.method, (p.cell.model, p.cell.domain))),
        ("domains", lambda p: (p.cell.domain, (p.cell.model, p.cell.method))),
        ("models", lambda p: (p.cell.model, (p.cell.domain, p.cell.method))),
    ]
    families = [_factor(name, part, points, replicates, scale, (prior, by_set)) for name, part in parts]
    return [family for family in families if family is not None]


def _factor(
    name: str,
    part: Callable[[Point], tuple[str, tuple[str, str]]],
    points: Sequence[Point],
    replicates: Mapping[str, Replicates],
    scale: claim_text.DifferenceUnit,
    by: tuple[Prior | None, BySet],
) -> ClaimFamily | None:
    prior, by_set = by
    levels: dict[str, dict[tuple[str, str], Replicates]] = {}
    for point in points:
        if point.name in replicates:
            level, rest = part(point)
            levels.setdefault(level, {})[rest] = replicates[point.name]
    compared, over, left_out = [], set(), []
    of_cells = dict[tuple[str, str], SetVerdict]()  # of levels that are compared in one cell each
    for left, right in _planned(sorted(levels)):
        shared = sorted(levels[left].keys() & levels[right].keys())
        pairs = {rest: (levels[left][rest], levels[right][rest]) for rest in shared}
        kept = comparable(pairs)
        if shared:
            compared.append((left, right, mean_difference([pairs[rest] for rest in kept or shared], prior)))
            over.add(len(kept or shared))
            if len(kept or shared) == 1:
                of_cells |= _of_levels((left, right), pairs[(kept or shared)[0]], by_set)
            left_out += [(left, right, rest) for rest in shared if kept and rest not in kept]
    if not compared:
        return None
    notes = (*claim_text.combinations_covered(name, over), *claim_text.left_out(left_out))
    if len(levels) > MOST_LEVELS:
        notes = (*notes, claim_text.too_many(name, len(levels), compared[0][0]))
    return family(name, compared, scale, points[0].comparison, notes=notes, by_set=of_cells)


def _of_levels(
    levels: tuple[str, str], cells: tuple[Replicates, Replicates], by_set: BySet
) -> dict[tuple[str, str], SetVerdict]:
    (left, right), (one, other) = levels, (cells[0].name, cells[1].name)
    told = {(left, right): by_set.get((one, other)), (right, left): by_set.get((other, one))}
    return {pair: verdict for pair, verdict in told.items() if verdict is not None}


def _planned(levels: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Return every two levels; of too many, each with one that is chosen by name and never by its results."""
    if len(levels) <= MOST_LEVELS:
        return combinations(levels, 2)
    first = "full" if "full" in levels else levels[0]
    return [(first, level) for level in levels if level != first][:MOST_CLAIMS]


def family(
    name: str,
    compared: Sequence[Compared],
    scale: claim_text.DifferenceUnit,
    comparison: str | None,
    *,
    could: int | None = None,
    shown: set[tuple[str, str]] | None = None,
    notes: tuple[str, ...] = (),
    by_set: BySet = _NO_SET,
) -> ClaimFamily:
    """Build a family. `could` is the number of comparisons to correct for, where these were picked; `shown`
    selects those that become claims; `by_set` has the names of the family."""
    testable = sum(estimate.p is not None for _, _, estimate in compared)
    size = testable if could is None else max(could, testable)
    adjusted = holm([estimate.p for _, _, estimate in compared], size)
    shown_so_far = sum(value is not None and value < LEVEL for value in adjusted)
    next_level = LEVEL / max(size - shown_so_far, 1)  # that Holm holds the smallest of the others against
    claims = [
        _claim(pair, value, (size, next_level), scale, by_set)
        for pair, value in zip(compared, adjusted, strict=True)
        if shown is None or pair[:2] in shown
    ]
    if shown is None:
        claims.sort(key=lambda c: (-c.difference, c.better, c.worse))
    return ClaimFamily(
        name=name,
        title=claim_text.TITLES[name],
        comparison=comparison,
        correction="Holm",
        size=size,
        claims=tuple(claims),
        notes=notes,
    )


def _claim(
    pair: Compared,
    adjusted: float | None,
    corrected: tuple[int, float],
    scale: claim_text.DifferenceUnit,
    by_set: BySet,
) -> Claim:
    left, right, estimate = pair
    size, level = corrected
    if estimate.scattered and (adjusted is None or adjusted >= LEVEL):
        estimate, adjusted = replace(estimate, seed_error=None), None
    flipped = estimate.mean < 0
    better, worse = (right, left) if flipped else (left, right)
    distinguishable = None if adjusted is None else adjusted < LEVEL
    interval = _interval(estimate, LEVEL / max(size, 1), bool(distinguishable), scale)
    verdict = by_set.get((better, worse))
    missed = distinguishable is False and verdict is not SetVerdict.WORSE
    detectable, limit = (estimate.half(level), limit_of(estimate, level)) if missed else (None, None)
    sentence = claim_text.claim_sentence(
        (better, worse),
        abs(estimate.mean),
        interval,
        adjusted,
        distinguishable,
        (estimate, size),
        scale,
        verdict,
    )
    beside = claim_text.differing((better, worse), distinguishable, verdict, scale)
    return Claim(
        better=better,
        worse=worse,
        difference=abs(estimate.mean),
        interval=interval,
        p=estimate.p,
        adjusted=adjusted,
        seeds=estimate.seeds,
        examples=estimate.documents if estimate.seeds > 1 else None,
        distinguishable=distinguishable,
        sentence=f"{sentence}{claim_text.shown_from(detectable, limit, scale)}{beside}",
        detectable=detectable,
        limit=limit,
        by_best_set=verdict,
    )


def _interval(
    estimate: MeanEstimate, level: float, distinguishable: bool, scale: claim_text.DifferenceUnit
) -> tuple[float, float] | None:
    """Return the interval of the better less the worse at this level, so that those of a family hold all at
    once (Bonferroni). Holm's test shows a little more: where it does, the interval ends at 0. Shares differ
    by 1 at most."""
    half = estimate.half(level)
    if half is None:
        return None
    low, high = abs(estimate.mean) - half, abs(estimate.mean) + half
    most = 1.0 if scale.points else math.inf
    return max(low, 0.0 if distinguishable else -most), min(high, most)


def frontier_family(
    members: Sequence[Point],
    answer: tuple[str, str] | None,
    replicates: Mapping[str, Replicates],
    scored: int,
    scale: claim_text.DifferenceUnit,
    prior: Prior | None = None,
    by_set: BySet = _NO_SET,
) -> ClaimFamily | None:
    """Compare the `members` of one frontier, by cost. `answer` is the best and the cheapest close to it.
    Neighbours and the answer become claims."""
    judged = [p.name for p in members if p.name in replicates]
    names = judged[:MOST_MEMBERS]
    cut = [claim_text.not_shown(len(judged), len(names))] if len(judged) > len(names) else []
    shown = {(dearer, cheaper) for cheaper, dearer in pairwise(names)}
    if answer is not None and answer[0] != answer[1] and set(answer) <= set(replicates):
        shown.add(answer)
    pairs = {(names[j], names[i]) for i in range(len(names)) for j in range(i + 1, len(names))} | shown
    if not pairs:
        return None
    order = {p.name: index for index, p in enumerate(members)}
    ordered = sorted(pairs, key=lambda pair: (order.get(pair[0], 0), -order.get(pair[1], 0)))
    ordered += unpicked(ordered, replicates, scored)
    compared = [
        (left, right, difference(replicates[left], replicates[right], prior)) for left, right in ordered
    ]
    return family(
        "frontier",
        compared,
        scale,
        members[0].comparison,
        could=scored * (scored - 1) // 2,
        shown=shown,
        notes=(claim_text.picked(scored), *cut),
        by_set=by_set,
    )


def unpicked(
    picked: Iterable[tuple[str, str]], replicates: Mapping[str, Replicates], scored: int
) -> list[tuple[str, str]]:
    """Return every other two of the scored cells, where these are few and all have replicates."""
    if len(replicates) != scored or scored > MOST_PAIRED:
        return []
    taken = {frozenset(pair) for pair in picked}
    return [pair for pair in combinations(sorted(replicates), 2) if frozenset(pair) not in taken]
