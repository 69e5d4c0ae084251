"""From the results of cells to the points of one task, frontier included."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.sweep import RefusedCell, SweepRecord
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.report.frontier import on_frontier
from orchestrator.report.model import Comparison, Point, PointState
from orchestrator.report.results import CellResults, Key, Result
from orchestrator.report.statistics import average, summarise


def comparisons_of(cells: Iterable[CellResults]) -> dict[Key, Comparison]:
    """The comparison keys that occur in one task, each labelled by what tells it from the others."""
    keys = sorted({r.key for cell in cells for r in cell.results}, key=repr)
    return {
        key: Comparison(label=_label(key, keys), device_type=key[0], precision=key[1], software=dict(key[2]))
        for key in keys
    }


def _label(key: Key, keys: Sequence[Key]) -> str:
    parts = [key[0], key[1].value if key[1] else "unknown precision"]
    alike = [k for k in keys if k[:2] == key[:2]]
    software = [dict(k[2]) for k in alike]
    mine = dict(key[2])
    for package in sorted({name for versions in software for name in versions}):
        if len({versions.get(package) for versions in software}) > 1:
            parts.append(f"{package} {mine.get(package, 'unknown')}")
    return ", ".join(parts)


def points_of(
    cells: Sequence[CellResults],
    refused: Sequence[RefusedCell],
    comparisons: Mapping[Key, Comparison],
    sweep: SweepRecord,
) -> tuple[Point, ...]:
    """All cells of a task: the frontier by cost, then results by quality, then those without one by name."""
    points = [point for cell in cells for point in _points(cell, comparisons, sweep)]
    points += [
        Point(
            cell=r.cell,
            backbone=_backbone(r.cell, sweep),
            state=PointState.REFUSED,
            reason=r.reason,
        )
        for r in refused
    ]
    marked: list[Point] = []
    for label in [None, *(c.label for c in comparisons.values())]:
        group = [p for p in points if p.comparison == label]
        flags = on_frontier([figures(p) for p in group])
        marked += [p.model_copy(update={"frontier": flag}) for p, flag in zip(group, flags, strict=True)]
    return tuple(sorted(marked, key=_rank))


def figures(point: Point) -> tuple[float | None, float | None]:
    """Cost in device-hours, and quality."""
    return (
        point.device_hours.mean if point.device_hours else None,
        point.quality.mean if point.quality else None,
    )


def _points(cell: CellResults, comparisons: Mapping[Key, Comparison], sweep: SweepRecord) -> list[Point]:
    empty = Point(
        cell=cell.cell,
        backbone=_backbone(cell.cell, sweep),
        state=_state(cell),
        reason=_reason(cell),
        planned_seeds=cell.planned,
    )
    by_key: dict[Key, list[Result]] = {}
    for result in cell.results:
        by_key.setdefault(result.key, []).append(result)
    if not by_key:
        return [empty]
    bounds = _bounds(sweep.tasks[cell.cell.task].metric)
    return [_aggregate(empty, found, comparisons[key].label, bounds) for key, found in by_key.items()]


def _aggregate(empty: Point, results: Sequence[Result], label: str, bounds: tuple[float, float]) -> Point:
    names = sorted({name for r in results for name in r.metrics})
    metrics = {name: [r.metrics[name] for r in results if name in r.metrics] for name in names}
    partial = len(results) < empty.planned_seeds
    scored = [r.quality for r in results if r.quality is not None]
    unscored = sorted({r.missing for r in results if r.quality is None and r.missing})
    return empty.model_copy(
        update={
            "state": PointState.PARTIAL if partial else PointState.FINISHED,
            "reason": "; ".join([*([empty.reason] if empty.reason else []), *unscored]) or None,
            "seeds": len(results),
            "comparison": label,
            "quality": summarise(scored, *bounds),
            "device_hours": summarise([r.device_hours for r in results], low=0.0),
            "metrics": {name: summarise(values, *_bounds(name)) for name, values in metrics.items()},
            "total_parameters": _largest([r.total_parameters for r in results]),
            "trainable_parameters": _largest([r.trainable_parameters for r in results]),
            "peak_memory_bytes": _largest([r.peak_memory_bytes for r in results]),
            "tokens_per_second": average([r.tokens_per_second for r in results]),
        }
    )


def _bounds(metric: MetricName) -> tuple[float, float]:
    """A loss, and with it the quality that is its negative, is open; all other metrics are shares."""
    return (-math.inf, math.inf) if metric is MetricName.LOSS else (0.0, 1.0)


def _largest(values: Iterable[int | None]) -> int | None:
    return max((v for v in values if v is not None), default=None)


def _state(cell: CellResults) -> PointState:
    """Of a cell without a result: the worst thing that there is to say about it."""
    for state in (TrialState.FAILED, TrialState.UNFINISHED, TrialState.STALE):
        if cell.states[state]:
            return PointState(state.value)
    return PointState.NEW


def _reason(cell: CellResults) -> str | None:
    parts = []
    if cell.failures:
        kinds = ", ".join(sorted(set(cell.failures)))
        parts.append(f"{len(cell.failures)} of {cell.planned} seeds failed ({kinds})")
    words = {
        TrialState.UNFINISHED: "not ended",
        TrialState.STALE: "only have results of other settings",
        TrialState.NEW: "not begun",
    }
    if cell.failures or cell.results:
        parts += [
            f"{cell.states[s]} of {cell.planned} seeds {word}" for s, word in words.items() if cell.states[s]
        ]
    return "; ".join(parts) or None


def _backbone(cell: Cell, sweep: SweepRecord) -> str | None:
    found = sweep.backbones.get(f"{cell.model}/{cell.domain}")
    return found.name if found else None


def _rank(point: Point) -> tuple[bool, str, bool, float, str]:
    cost, quality = figures(point)
    if point.frontier and cost is not None:
        return False, point.comparison or "", False, cost, point.name
    return True, "", quality is None, -(quality or 0.0), point.name
