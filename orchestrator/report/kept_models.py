"""Which whole models of a sweep stay: those of cells that no other cell beats, within the sweep's limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.contracts.kept_weights import GIB, DropReason, KeptWeights, WholeModel
from orchestrator.report.results.frontier_so_far import OnFrontier


@dataclass(frozen=True)
class Saved:
    """The whole models that are there. `current`: of finished trials, by trial. `stale`: of results under
    other settings, whose trials have not finished again. `unsaved`: finished trials whose model was larger
    than the limit, so that no worker wrote it."""

    current: Mapping[str, WholeModel]
    stale: Sequence[WholeModel] = ()
    unsaved: Sequence[str] = ()


def kept_models(
    frontier: Sequence[OnFrontier], saved: Saved, keep_gib: float, before: KeptWeights | None
) -> KeptWeights:
    """Return what stays and why the rest goes.

    One model stays per cell on a frontier: of the seed that is best on dev, of those that are there. Over the
    limit, the cheapest cells that are good enough come first, then the others of each task by quality; a
    model that does not fit is dropped, and the next one is tried. Stale models stay where there is room.
    """
    dropped = {} if before is None else dict(before.dropped)
    kept: list[WholeModel] = []
    left = keep_gib * GIB
    on_frontier = set[str]()
    for cell in sorted(frontier, key=lambda one: (one.rank, one.cell.name)):
        names = [seed.name for seed in cell.seeds]
        on_frontier.update(names)
        first = next((name for name in names if name in saved.current or name in saved.unsaved), None)
        for name in names:
            model = saved.current.get(name)
            if name != first and model is not None:
                dropped[name] = DropReason.OTHER_SEED
        if first is None:
            continue
        model = saved.current.get(first)
        if model is None or model.bytes > left:
            dropped[first] = DropReason.LIMIT
        else:
            kept.append(model)
            left -= model.bytes
    for name in (*saved.current, *saved.unsaved, *dropped):
        if name not in on_frontier and dropped.get(name) is not DropReason.OTHER_SEED:
            dropped[name] = DropReason.DOMINATED
    for model in sorted(saved.stale, key=lambda one: one.bytes):
        if model.bytes <= left:
            kept.append(model)
            left -= model.bytes
    names_kept = {model.trial for model in kept}
    reasons = {name: reason for name, reason in dropped.items() if name not in names_kept}
    return KeptWeights(keep_gib=keep_gib, kept=tuple(kept), dropped=reasons)
