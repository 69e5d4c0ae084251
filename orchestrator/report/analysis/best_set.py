"""Cells that cannot be distinguished: those that may be the best, and runs along the frontier.

The set of the best, of those with two seeds or more: a cell stays in it unless the cell that scored highest
is shown to be better, one-sided, at 5 % over the number of its rivals (Bonferroni). Only one cell is the
best, so its hypothesis alone is true, and testing all cells needs no further correction: the set holds the
best cell with 95 % confidence (Hsu 1981, multiple comparisons with the best).

The tests of pairs are two-sided and corrected over their family, so the two may differ on a pair that holds
the cell that scored highest: `by_set` tells these, and their sentences say why. Both hold as often as they
say, each by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from orchestrator.contracts.record import Record
from orchestrator.report.analysis import claim_text
from orchestrator.report.analysis.claim_text import SetVerdict
from orchestrator.report.analysis.claims import LEVEL, MOST_MEMBERS, unpicked
from orchestrator.report.results.point import Point
from orchestrator.report.statistics.moderation import Prior
from orchestrator.report.statistics.multiple_testing import holm
from orchestrator.report.statistics.paired import difference
from orchestrator.report.statistics.pareto import CLOSE
from orchestrator.report.statistics.power import Limit, Settled, joint_limit, limit_of, seeds_needed
from orchestrator.report.statistics.replicates import Replicates

_POINTS = claim_text.DifferenceUnit("", True)


class BestSet(Record):
    """Cells that these results cannot distinguish, best first, of one task under one comparison key. They are
    not necessarily equally good.

    `best`: the 95 % set of the best. Of the cells that have two seeds or more the best is one of these, and
    the first one scored highest; `behind` says of each further one, in the set or not, how far it may lie
    behind the first: the paired 95 % interval of the difference in quality, where there is one. Where seeds
    of one of them failed there is none; a further cell is then judged by its seeds that worked.

    `detectable`: how far behind the first a cell must be measured to be left out, and `limit` what would
    lessen that. `settled`: what would lessen it to the margin, None where it is no more than that.
    """

    comparison: str | None
    best: bool  # else a run along the frontier
    cells: tuple[str, ...]  # model/domain/method
    sentence: str
    behind: dict[str, tuple[float, float]] = Field(default_factory=dict)
    one_seed: tuple[str, ...] = ()  # cells that cannot be judged, of a set of the best
    detectable: float | None = None
    limit: Limit | None = None
    settled: Settled | None = None
    left_out: tuple[str, ...] = ()  # of a set of the best: the cells that are shown not to be it
    silent: tuple[str, ...] = ()  # cells of it that nothing tells from the first

    @property
    def by_set(self) -> dict[tuple[str, str], SetVerdict]:
        """Return what the set says of each further cell beside the first, where the two were tested.

        That a cell which is left out is not the best holds for all of them at once with 95 % confidence. That
        it is worse than the first does so only if that is the best, alone in the set: of many cells that are
        equally good, the first by chance is compared with the last."""
        first, out = self.cells[0], SetVerdict.WORSE if len(self.cells) == 1 else SetVerdict.NOT_THE_BEST
        kept = {(first, name): SetVerdict.KEPT for name in self.cells[1:] if name not in self.silent}
        return kept | {(first, name): out for name in self.left_out}


def best_set(
    points: Sequence[Point],
    replicates: Mapping[str, Replicates],
    prior: Prior | None = None,
    scale: claim_text.DifferenceUnit = _POINTS,
    margin: float = CLOSE,
) -> BestSet | None:
    """Return the set of the best of one task and comparison key, None unless two cells have two seeds.
    `margin` is the difference for which the report says how many seeds would show it."""
    cells = sorted(
        (replicates[p.name] for p in points if p.name in replicates), key=lambda r: (-r.mean, r.name)
    )
    judged = [r for r in cells if len(r.seeds) > 1]
    if len(judged) < 2:
        return None
    top, rivals = judged[0], len(judged) - 1
    level = 2 * LEVEL / rivals  # two-sided
    names, silent, behind = [top.name], [], {}
    with_documents = True
    needed: list[tuple[float, Limit | None, int | None]] = []
    for rival in judged[1:]:
        gap = difference(top, rival.if_none_failed, prior)
        p, interval = gap.p, None if top.scattered or rival.scattered else gap.interval
        with_documents = with_documents and gap.documents is not None
        if p is None:  # it may be the best, for all that these results say
            silent.append(rival.name)
        if p is None or p >= level:
            names.append(rival.name)
            half = gap.half(level)
            needed += [] if half is None else [(half, limit_of(gap, level), seeds_needed(gap, level, margin))]
        if interval is not None:
            behind[rival.name] = interval
    one_seed = [r.name for r in cells if len(r.seeds) < 2]
    above = one_seed[0] if cells[0].name in one_seed else None
    detectable = max((half for half, _, _ in needed), default=None)
    limit = joint_limit(limit for _, limit, _ in needed)
    settled = None
    if detectable is not None and detectable > margin:
        seeds = [seeds for _, _, seeds in needed if seeds is not None]
        settled = Settled(margin=margin, seeds=max(seeds) if len(seeds) == len(needed) else None)
    over = "over seeds and documents" if with_documents else "over seeds alone"
    sentence = claim_text.best_set_sentence(names, silent, len(judged), (len(one_seed), above), over)
    return BestSet(
        comparison=points[0].comparison,
        best=True,
        cells=tuple(names),
        sentence=sentence + claim_text.narrowed(detectable, limit, settled, scale),
        behind=behind,
        one_seed=tuple(one_seed),
        detectable=detectable,
        limit=limit,
        settled=settled,
        left_out=tuple(rival.name for rival in judged if rival.name not in names),
        silent=tuple(silent),
    )


def frontier_runs(
    members: Sequence[Point],
    replicates: Mapping[str, Replicates],
    scored: int,
    prior: Prior | None = None,
    best: BestSet | None = None,
) -> list[BestSet]:
    """Return the longest runs of neighbours, by cost, of which no two are distinguishable, corrected for
    every two of the `scored` points. `best`: the set of the best, where there is one."""
    names = [p.name for p in members if p.name in replicates][:MOST_MEMBERS]
    pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    named = [(names[i], names[j]) for i, j in pairs]
    every = [*named, *unpicked(named, replicates, scored)] if named else []
    compared = [difference(replicates[left], replicates[right], prior).p for left, right in every]
    p_values = holm(compared, scored * (scored - 1) // 2)[: len(pairs)]
    apart = {pair for pair, p in zip(pairs, p_values, strict=True) if p is not None and p < LEVEL}
    scattered = {place for place, name in enumerate(names) if replicates[name].scattered}
    judged = {
        pair for pair, p in zip(pairs, p_values, strict=True) if p is not None and scattered.isdisjoint(pair)
    }
    groups, reached = [], 0
    by_set = {} if best is None else best.by_set
    for start in range(len(names)):
        end = start + 1
        while end < len(names) and all((i, end) in judged - apart for i in range(start, end)):
            end += 1
        if end - start > 1 and end > reached:
            run = sorted(names[start:end], key=lambda name: -replicates[name].mean)
            comparison = members[0].comparison
            told = {name: by_set.get((run[0], name)) for name in run}
            left_out = [name for name, verdict in told.items() if verdict not in (None, SetVerdict.KEPT)]
            alone = SetVerdict.WORSE in told.values()
            sentence = claim_text.run_sentence(run, scored, left_out, alone=alone)
            groups.append(BestSet(comparison=comparison, best=False, cells=tuple(run), sentence=sentence))
        reached = max(reached, end)
    return groups
