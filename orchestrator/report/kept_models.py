"""Which whole models of a sweep stay: those of cells that no other cell beats, within the sweep's limit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.contracts.kept_weights import GIB, DropReason, KeptWeights, WholeModel
from orchestrator.report.results.frontier_so_far import RankedCell, Standing

_ORDER = list(Standing)


@dataclass(frozen=True)
class Saved:
    """The whole models that are there. `current`: of finished trials, by trial. `stale`: of results under
    other settings, whose trials have not finished again. `unsaved`: finished trials whose model was larger
    than the limit, so that no worker wrote it."""

    current: Mapping[str, WholeModel]
    stale: Sequence[WholeModel] = ()
    unsaved: Sequence[str] = ()


def kept_models(
    cells: Iterable[RankedCell], saved: Saved, keep_gib: float, before: KeptWeights | None
) -> KeptWeights:
    """Return what stays and why the rest goes.

    One model stays per cell that no other cell beats for good: of the seed that is best on dev, of those that
    are there. While seeds of a cell have not ended, the models of all its seeds stay. Over the limit, the
    cheapest cells that are good enough come first, then the others on the frontier of each task by quality,
    cells without a cost or a quality, cells that are beaten so far, further seeds, and stale models; a model
    that does not fit is dropped, and the next one is tried.
    """
    cells = sorted(cells, key=lambda one: (_ORDER.index(one.standing), one.rank, one.cell.name))
    kept: list[WholeModel] = []
    left = keep_gib * GIB
    for model in _wishes(cells, saved):
        if model.bytes <= left:
            kept.append(model)
            left -= model.bytes
    before = before or KeptWeights(keep_gib=keep_gib)
    names_kept = {model.trial for model in kept}
    reasons = {name: reason for name, reason in before.dropped.items() if name not in names_kept}
    for cell in cells:
        reasons.update(_reasons(cell, saved, names_kept, before.dropped))
    attempts = before.attempts | {name: model.attempt for name, model in saved.current.items()}
    return KeptWeights(
        keep_gib=keep_gib,
        kept=tuple(kept),
        dropped=reasons,
        attempts={name: attempts[name] for name in reasons if name in attempts},
    )


def _wishes(cells: Sequence[RankedCell], saved: Saved) -> list[WholeModel]:
    """Return what would stay if there were room for all of it, in the order in which it gets room."""
    best: list[str] = []
    others: list[str] = []
    for cell in cells:
        there = _there(cell, saved)
        if cell.standing is not Standing.BEATEN:
            best += there[:1]
        if not cell.ended:
            others += there[1:]
    stale = sorted(saved.stale, key=lambda one: one.bytes)
    return [*(saved.current[name] for name in best + others if name in saved.current), *stale]


def _there(cell: RankedCell, saved: Saved) -> list[str]:
    """Return the seeds that a model can be taken of, best on dev first."""
    names = (seed.name for seed in cell.seeds)
    return [name for name in names if name in saved.current or name in saved.unsaved]


def _reasons(
    cell: RankedCell, saved: Saved, kept: Collection[str], before: Mapping[str, DropReason]
) -> Mapping[str, DropReason]:
    """Return why trials of the cell have no model, as far as there was one or too little room for one."""
    names = [seed.name for seed in cell.seeds]
    gone = [n for n in names if n not in kept and (n in before or n in saved.current or n in saved.unsaved)]
    if cell.standing in (Standing.UNDECIDED, Standing.BEATEN):
        return dict.fromkeys(gone, DropReason.DOMINATED)
    if any(name in kept for name in names):
        others = dict.fromkeys(gone, DropReason.OTHER_TRIAL)
        return others | ({names[0]: DropReason.EARLIER} if names[0] in gone else {})
    first = next(iter(_there(cell, saved)), None)
    return {
        name: DropReason.LIMIT
        if name == first or before.get(name) is DropReason.LIMIT
        else DropReason.EARLIER
        for name in gone
    }
