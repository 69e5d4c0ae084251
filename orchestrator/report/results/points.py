"""From the results of cells to the points of one task, frontier included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.contracts.backbone import contamination
from orchestrator.contracts.methods import MethodSpec
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.sweep import RefusedCell, SweepRecord
from orchestrator.contracts.trial import Cell
from orchestrator.contracts.vocabulary import Source, TrialState
from orchestrator.report.results.billing import money_of
from orchestrator.report.results.cells import CellResults
from orchestrator.report.results.failed_seeds import (
    Counting,
    SeedScore,
    Trainings,
    failed_seeds,
    failure_note,
    keys_of,
    lost,
    seed_scores,
)
from orchestrator.report.results.point import Comparison, Point, PointState
from orchestrator.report.results.result import Key, Result
from orchestrator.report.statistics.pareto import as_costs, pareto_mask
from orchestrator.report.statistics.summary import Summary, average, bounds, summarise, summarise_quality
from orchestrator.tracking.prices import pricing_of


def comparisons_of(cells: Iterable[CellResults]) -> dict[Key, Comparison]:
    """Return the comparison keys that occur in one task, each with a label that distinguishes it."""
    labels = comparison_labels({key for cell in cells for key in keys_of(cell)})
    return {
        key: Comparison(
            label=label,
            device_type=key[0],
            precision=key[1],
            software=dict(key[2]),
        )
        for key, label in labels.items()
    }


def comparison_labels(used: Iterable[Key]) -> dict[Key, str]:
    """Label the comparison keys of one task, in the order of their labels' parts."""
    keys = sorted(used, key=repr)
    return {key: _label(key, keys) for key in keys}


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
    counting: Counting,
) -> tuple[Point, ...]:
    """Return all cells of a task: the frontier by cost, then results by quality, then those without one by
    name."""
    points = [point for cell in cells for point in _points(cell, comparisons, sweep, counting)]
    points += [
        Point(
            cell=r.cell,
            backbone=_backbone(r.cell, sweep),
            state=PointState.REFUSED,
            reason=r.reason,
            saw=_saw(r.cell, sweep),
        )
        for r in refused
    ]
    marked: list[Point] = []
    for label in [None, *(c.label for c in comparisons.values())]:
        group = [p for p in points if p.comparison == label]
        flags = pareto_mask(as_costs([cost_and_quality(p) for p in group])).tolist()
        marked += [p.model_copy(update={"frontier": flag}) for p, flag in zip(group, flags, strict=True)]
    return tuple(sorted(marked, key=_rank))


def cost_and_quality(point: Point) -> tuple[float | None, float | None]:
    """Return cost in device-hours, and quality."""
    return (
        point.device_hours.mean if point.device_hours else None,
        point.quality.mean if point.quality else None,
    )


def _points(
    cell: CellResults, comparisons: Mapping[Key, Comparison], sweep: SweepRecord, counting: Counting
) -> list[Point]:
    recipe = sweep.recipes.get(cell.cell.name)
    empty = Point(
        cell=cell.cell,
        backbone=_backbone(cell.cell, sweep),
        state=_state(cell),
        reason=_reason(cell),
        failed=failed_seeds(cell),
        planned_seeds=cell.planned,
        folds=cell.trainings,
        saw=_saw(cell.cell, sweep),
        budget=None if recipe is None else budget(recipe),
    )
    points = []
    for key in keys_of(cell):
        results = [r for r in cell.results if r.key == key]
        scores = seed_scores(cell, key, counting)
        if results:
            point = _aggregate(empty, results, scores, counting).model_copy(
                update=_also(cell, results, key, sweep)
            )
        elif scores:  # no trial came to its end, and what they end with is known all the same
            point = empty.model_copy(update={"quality": _quality(scores, counting)})
        else:
            continue
        points.append(point.model_copy(update={"comparison": comparisons[key].label}))
    return points or [empty]


def _quality(scores: Sequence[SeedScore], counting: Counting) -> Summary | None:
    failed = sum(score.failed for score in scores)
    return summarise_quality([score.quality for score in scores], counting.metric, failed)


def _aggregate(
    empty: Point, results: Sequence[Result], scores: Sequence[SeedScore], counting: Counting
) -> Point:
    partial = len(results) < empty.planned_seeds
    unscored = sorted({r.missing for r in results if r.quality is None and not r.collapsed and r.missing})
    return empty.model_copy(
        update={
            "state": PointState.PARTIAL if partial else PointState.FINISHED,
            "reason": "; ".join([*([empty.reason] if empty.reason else []), *unscored]) or None,
            "seeds": len(results),
            "quality": _quality(scores, counting),
            "device_hours": _summary_of_all([r.device_hours for r in results]),
            "billed_hours": average([r.billed_hours for r in results]),
            "shared_gpu": any(r.shared for r in results),
            "metrics": _metrics(results, sum(score.failed for score in scores), counting),
            "total_parameters": _largest([r.total_parameters for r in results]),
            "trainable_parameters": _largest([r.trainable_parameters for r in results]),
            "peak_memory_bytes": _largest([r.peak_memory_bytes for r in results]),
            "tokens_per_second": average([r.tokens_per_second for r in results]),
            "wall_seconds": _summary_of_all([r.wall_seconds for r in results]),
            "saved_bytes": _largest([r.saved_bytes for r in results]),
            "energy_kwh": _average_of_all([r.energy.kwh for r in results]),
            "energy_source": least_certain(r.energy.source for r in results),
            "latency_ms": _average_of_all([r.latency_ms for r in results]),
        }
    )


def _metrics(results: Sequence[Result], failed: int, counting: Counting) -> dict[MetricName, Summary]:
    """Summarise the metrics of the seeds that worked, and of the `failed` ones, which count what guessing
    gives."""
    worked = [r.metrics for r in results if not r.collapsed]
    names = sorted({name for metrics in worked for name in metrics})
    summaries = {}
    for name in names:
        values = [metrics[name] for metrics in worked if name in metrics]
        values += [counting.guessing[name]] * failed if name in counting.guessing else []
        if (summary := summarise(values, *bounds(name))) is not None:
            summaries[name] = summary
    return summaries


def _also(cell: CellResults, results: Sequence[Result], key: Key, sweep: SweepRecord) -> dict[str, object]:
    """Return what the notes of a point need: its search, its rows, how its training went."""
    method, recipe = sweep.methods.get(cell.cell.method), sweep.recipes.get(cell.cell.name)
    capped = recipe is not None and (recipe.train_rows or recipe.train_rows_per_class)
    rows = [r.train_rows for r in results if r.train_rows is not None]
    classes = [r.class_rows for r in results if r.class_rows is not None]
    search = sweep.tuned.get(cell.cell.name)
    searched_here = search is not None and search.device_type == key[0] and cell.planned > 0
    timed = [r.seconds_to_best for r in results]
    dev = sorted({name for r in results for name in r.dev_metrics})
    return {
        "tuning_share": search.device_seconds / 3600 / cell.planned if search and searched_here else None,
        "signatures": dict(sorted(Counter(r.signature for r in results if r.signature).items())),
        "train_rows": (min(rows), max(rows)) if capped and rows else None,
        "class_rows": (min(low for low, _ in classes), max(high for _, high in classes))
        if capped and classes
        else None,
        "dev_metrics": {
            name: summarise([r.dev_metrics[name] for r in results if name in r.dev_metrics], *bounds(name))
            for name in dev
        },
        "adapted_parameters": _largest([_adapted(r, method) for r in results]),
        "seconds_to_best": None if None in timed else average(timed),
        "money": money_of(results, key[0], pricing_of(sweep)),
    }


def _adapted(result: Result, method: MethodSpec | None) -> int | None:
    """Count parameters as the study does: those trained without the head, and all under full fine-tuning."""
    if result.trainable_parameters is None or method is None:
        return None
    if method.settings.trains_everything:
        return result.trainable_parameters
    return None if result.head_parameters is None else result.trainable_parameters - result.head_parameters


def budget(recipe: Recipe) -> str | None:
    """Say how long a recipe trains, where that is not a number of epochs."""
    if recipe.steps is not None:
        return f"{recipe.steps:,} steps"
    if recipe.train_seconds is not None:
        return f"{recipe.train_seconds:,.0f} s of training"
    if recipe.device_hours is not None:
        return f"{recipe.device_hours:g} device-hours"
    return None if recipe.money is None else f"{recipe.money:g} of money"


def _summary_of_all(values: Sequence[float | None]) -> Summary | None:
    known = [v for v in values if v is not None]
    return summarise(known, low=0.0) if len(known) == len(values) else None


def _average_of_all(values: Sequence[float | None]) -> float | None:
    return None if None in values else average(values)


def least_certain(sources: Iterable[Source]) -> Source:
    """Return the worst source: a value made of several is no better than that."""
    return max(sources, key=list(Source).index)


def _largest(values: Iterable[int | None]) -> int | None:
    return max((v for v in values if v is not None), default=None)


def _state(cell: CellResults) -> PointState:
    """Return the state of a cell without a result: the worst of its seeds."""
    for state in (TrialState.FAILED, TrialState.UNFINISHED, TrialState.STALE):
        if cell.states[state]:
            return PointState(state.value)
    return PointState.NEW


def _reason(cell: CellResults) -> str | None:
    failed, trainings = failed_seeds(cell), Trainings.of(cell.planned, cell.trainings)
    parts = [
        part for part in (failure_note(failed, trainings), lost(failed, trainings), _folds(cell)) if part
    ]
    texts = {
        TrialState.UNFINISHED: "not ended",
        TrialState.STALE: "only have results of other settings",
        TrialState.NEW: "not begun",
    }
    if cell.failures or cell.results:
        parts += [
            f"{cell.states[s]} of {cell.planned} seeds {word}" for s, word in texts.items() if cell.states[s]
        ]
    return "; ".join(parts) or None


def _folds(cell: CellResults) -> str:
    """Say how many folds are missing, so that their seeds have no score; empty where none is, or all are."""
    seeds = cell.folds.values()
    missing, of = sum(folds.missing for folds in seeds), sum(folds.of for folds in seeds)
    parts = []
    if 0 < missing < of:
        count = sum(folds.missing > 0 for folds in seeds)
        parts.append(f"{missing} of {of} folds missing, so {count} of {cell.planned} seeds have no score")
    if mixed := sum(folds.mixed for folds in seeds):
        parts.append(f"{mixed} of {cell.planned} seeds have no score: their folds ran on different set-ups")
    return "; ".join(parts)


def _backbone(cell: Cell, sweep: SweepRecord) -> str | None:
    backbone = sweep.backbones.get(cell.backbone_key)
    return backbone.name if backbone else None


def _saw(cell: Cell, sweep: SweepRecord) -> str | None:
    backbone, task = sweep.backbones.get(cell.backbone_key), sweep.tasks.get(cell.task)
    if backbone is None or task is None or not contamination(backbone, task.corpus):
        return None
    return task.corpus


def _rank(point: Point) -> tuple[bool, str, bool, float, str]:
    cost, quality = cost_and_quality(point)
    if point.frontier and cost is not None:
        return False, point.comparison or "", False, cost, point.name
    return True, "", quality is None, -(quality or 0.0), point.name
