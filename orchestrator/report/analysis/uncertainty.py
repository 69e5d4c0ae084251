"""How sure the report of a task is: its replicates, and all that is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from orchestrator.contracts.metrics import METRICS, MetricName
from orchestrator.contracts.target import NEAR, Target
from orchestrator.report.analysis import claim_text
from orchestrator.report.analysis.best_set import BestSet, best_set, frontier_runs
from orchestrator.report.analysis.cell_names import level_marks, marked, marks_of
from orchestrator.report.analysis.claims import (
    BySet,
    ClaimFamily,
    Compared,
    factor_families,
    family,
    frontier_family,
)
from orchestrator.report.analysis.distillation import StudentTeacherPair
from orchestrator.report.analysis.frontiers import DEFAULT, FrontierView, frontier_views
from orchestrator.report.analysis.good_enough import GoodEnough, good_enough
from orchestrator.report.analysis.learned import against_guessing
from orchestrator.report.analysis.objectives import Objective
from orchestrator.report.analysis.probabilities import FrontierProbability
from orchestrator.report.results.cells import CellResults
from orchestrator.report.results.failed_seeds import Counting, keys_of, seed_scores
from orchestrator.report.results.point import Comparison, Point
from orchestrator.report.results.points import cost_and_quality
from orchestrator.report.results.replicates import replicates
from orchestrator.report.results.result import Key
from orchestrator.report.statistics.bootstrap import Draws, draws
from orchestrator.report.statistics.moderation import Prior, prior_of
from orchestrator.report.statistics.paired import difference, of_cell
from orchestrator.report.statistics.pareto import CLOSE, best, cheapest_enough
from orchestrator.report.statistics.replicates import Replicates
from orchestrator.report.statistics.simultaneous import Simultaneous, simultaneous
from orchestrator.report.statistics.summary import CONFIDENCE, between, bounds

ReplicatesByKey = Mapping[
    str, Mapping[str, Replicates]
]  # by label of the comparison key, by model/domain/method


class Uncertainty(NamedTuple):
    points: tuple[Point, ...]  # in their order, with their probability and their interval over documents
    frontiers: tuple[FrontierView, ...]
    claims: tuple[ClaimFamily, ...]
    groups: tuple[BestSet, ...]
    good_enough: tuple[GoodEnough, ...]
    draws: Mapping[str, Draws]  # by label of the comparison key, where any cell has two seeds
    # By label of the comparison key: why nothing is recommended, and which cells may only guess.
    unlearned: dict[str, str]
    guessing: dict[str, tuple[str, ...]]


def replicates_of(
    cells: Sequence[CellResults], comparisons: Mapping[Key, Comparison], counting: Counting
) -> ReplicatesByKey:
    """Return the replicates of one task."""
    by_key: dict[str, dict[str, Replicates]] = {c.label: {} for c in comparisons.values()}
    for cell in cells:
        name = cell.cell.label
        for key, comparison in comparisons.items():
            scores = seed_scores(cell, key, counting) if key in keys_of(cell) else []
            seeds = replicates(name, scores, cell.trainings)
            if seeds is not None:
                by_key[comparison.label][name] = seeds
    return by_key


def uncertainty_of(
    task: tuple[str, str, MetricName],
    points: Sequence[Point],
    replicates: ReplicatesByKey,
    pairs: Sequence[StudentTeacherPair],
    asked: Sequence[tuple[Objective, ...]] = (),
    target: Target = NEAR,
    floor: float | None = None,
    unit: str | None = None,
) -> Uncertainty:
    """Judge a task, given as its name, title and metric. `floor` is the quality of guessing, `unit` that of
    the metric where it has one. Comparison keys are never mixed."""
    name, title, metric = task
    marks = marks_of(points)
    loss = not METRICS[metric].higher_is_better
    plain = claim_text.DifferenceUnit(title, not loss, level_marks(points) | marks, unit=unit)
    nothing: dict[str, str] = {}
    guessing: dict[str, tuple[str, ...]] = {}
    frontiers: list[FrontierView] = []
    claims: list[ClaimFamily] = []
    groups: list[BestSet] = []
    close: list[GoodEnough] = []
    moved: dict[str, Draws] = {}
    chances: dict[tuple[str, str], FrontierProbability | None] = {}
    intervals: dict[tuple[str, str], Simultaneous] = {}
    for label, cells in replicates.items():
        group = [p for p in points if p.comparison == label and p.name in cells]
        if not group:
            continue
        of_all = simultaneous([cells[p.name] for p in group], metric)
        if floor is not None:
            worked = simultaneous([cells[p.name].if_none_failed for p in group], metric)
            why, guessing[label] = against_guessing(group, worked, floor, unit)
            nothing |= {} if why is None else {label: why}
        scale = plain._replace(advises=label not in nothing)
        intervals |= {(label, cell): interval for cell, interval in of_all.items()}
        if any(len(cells[p.name].seeds) > 1 for p in group):
            moved[label] = draws(f"{name} {label}", [cells[p.name] for p in group])
        known = [p.model_copy(update={"simultaneous": of_all.get(p.name)}) for p in group]
        for view, chance in frontier_views(known, cells, moved.get(label), asked, loss=loss):
            frontiers.append(view)
            if view.axes == DEFAULT:
                chances |= {(label, cell): value for cell, value in chance.items()}
        prior = prior_of([cells[p.name] for p in group])
        top = best_set(group, cells, prior, scale, target.within or CLOSE)
        groups += [top] if top is not None else []
        by_set = {} if top is None else top.by_set
        claims += factor_families(group, cells, scale, prior, by_set)
        members = sorted(
            (p for p in group if p.frontier), key=lambda p: (cost_and_quality(p)[0] or 0.0, p.name)
        )
        claims += _picked(members, group, cells, scale, (prior, target, by_set))
        taught = [pair for pair in pairs if pair.comparison == label]
        claims += _taught(taught, cells, scale, (prior, by_set))
        judged = good_enough(group, cells, prior, target)
        close += [judged] if judged is not None else []
        groups += frontier_runs(members, cells, len(group), prior, top)
    judged_points = tuple(
        _with_uncertainty(p, replicates, chances, metric).model_copy(
            update={"simultaneous": intervals.get((p.comparison or "", p.name))}
        )
        for p in points
    )
    groups = [g.model_copy(update={"sentence": marked(g.sentence, marks)}) for g in groups]
    return Uncertainty(
        judged_points,
        tuple(frontiers),
        tuple(claims),
        tuple(groups),
        tuple(close),
        moved,
        nothing,
        guessing,
    )


def _picked(
    members: Sequence[Point],
    group: Sequence[Point],
    replicates: Mapping[str, Replicates],
    scale: claim_text.DifferenceUnit,
    by: tuple[Prior | None, Target, BySet],
) -> list[ClaimFamily]:
    prior, target, by_set = by
    results = [cost_and_quality(p) for p in group]
    top, close = best(results), cheapest_enough(results, target)
    answer = None if top is None or close is None else (group[top].name, group[close].name)
    if not members:
        return []
    steps = frontier_family(members, answer, replicates, len(group), scale, prior, by_set)
    return [] if steps is None else [steps]


def _taught(
    pairs: Sequence[StudentTeacherPair],
    replicates: Mapping[str, Replicates],
    scale: claim_text.DifferenceUnit,
    by: tuple[Prior | None, BySet],
) -> list[ClaimFamily]:
    prior, by_set = by
    compared: list[Compared] = []
    for pair in pairs:
        student, teacher = f"{pair.student}/{pair.method}", f"{pair.teacher}/{pair.method}"
        if student in replicates and teacher in replicates:
            compared.append((student, teacher, difference(replicates[student], replicates[teacher], prior)))
    return [family("teachers", compared, scale, pairs[0].comparison, by_set=by_set)] if compared else []


def _with_uncertainty(
    point: Point,
    replicates: ReplicatesByKey,
    chances: Mapping[tuple[str, str], FrontierProbability | None],
    metric: MetricName,
) -> Point:
    cell = replicates.get(point.comparison or "", {}).get(point.name)
    if cell is None:
        return point
    estimate = of_cell(cell)
    low, high = bounds(metric)
    half = estimate.half(1 - CONFIDENCE) if estimate.documents is not None and not cell.failed else None
    chance = chances.get((point.comparison or "", point.name))
    return point.model_copy(
        update={
            "population_interval": None if half is None else between(estimate.mean, half, low, high),
            "frontier_probability": chance and chance.on,
            "near_probability": chance and chance.near,
        }
    )
