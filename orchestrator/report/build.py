"""The report from the ledger: aggregate over seeds, find the frontier, say what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.contracts.caveats import doubts
from orchestrator.contracts.ledger import TrialRecord
from orchestrator.contracts.metrics import IN_THE_UNIT, MetricName
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.target import NEAR
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.report.analysis.across_tasks import across_tasks
from orchestrator.report.analysis.caveats import (
    false_claims,
    guessed,
    independence,
    notices,
    of_metric,
    task_notes,
)
from orchestrator.report.analysis.data_sizes import data_line
from orchestrator.report.analysis.distillation import student_teacher_pairs
from orchestrator.report.analysis.domains import domains_of
from orchestrator.report.analysis.objectives import Objective
from orchestrator.report.analysis.plain_names import plain_name, rehearsal
from orchestrator.report.analysis.published import Published
from orchestrator.report.analysis.replication import replicate
from orchestrator.report.analysis.sensitivity import setting_effects
from orchestrator.report.analysis.uncertainty import (
    ReplicatesByKey,
    Uncertainty,
    replicates_of,
    uncertainty_of,
)
from orchestrator.report.recommendation.advice import REHEARSAL
from orchestrator.report.recommendation.answers import answers
from orchestrator.report.record import RefusedCellReason, Report
from orchestrator.report.results.billing import money_note
from orchestrator.report.results.cells import CellResults, ExamplesOf
from orchestrator.report.results.collect import Collected
from orchestrator.report.results.failed_seeds import Counting
from orchestrator.report.results.points import comparisons_of, points_of
from orchestrator.report.results.refusals import refusal_groups
from orchestrator.report.results.result import Result
from orchestrator.report.results.searches import searched_cells
from orchestrator.report.results.weights_provenance import weights_origins
from orchestrator.report.scores.points import scores_of
from orchestrator.report.statistics.bootstrap import Draws
from orchestrator.report.task_report import TaskReport
from orchestrator.report.text import metric_title


def build_report(
    sweep: SweepRecord,
    trials: Iterable[TrialRecord],
    beside: Iterable[TrialRecord] = (),
    against: Published | None = None,
    examples_of: ExamplesOf = lambda attempt: None,
    axes: Sequence[tuple[Objective, ...]] = (),
    at: Callable[[float, float], None] = lambda done, total: None,
) -> Report:
    """`trials` as `Ledger.trials()` gives them; of those `beside` them, the candidates of searches and the
    trials that the grid no longer holds, only the cost counts.

    `against` is what the replication view compares with; `examples_of` gives what an attempt tells of each
    document, as `Ledger.examples` reads it; `axes` are further ones that frontiers are wanted on; `at` hears
    how many tasks of how many are evaluated. Works on an empty or partial ledger. Depends on nothing else: no
    clock, no disk.
    """
    collected = Collected(sweep, examples_of)
    for record in trials:
        collected.add(record)
    for record in beside:
        collected.add_beside(record)
    reports = []
    for number, task in enumerate(sweep.tasks.values()):
        at(number, len(sweep.tasks))
        reports.append(_task(task, sweep, collected, axes))
    tasks = tuple(task for task, _, _ in reports)
    return Report(
        sweep=sweep.name,
        question=sweep.question,
        frontier_version=sweep.frontier_version,
        results_until=collected.until,
        notices=(*notices(sweep, collected), *false_claims(tasks)),
        tasks=tasks,
        refused=tuple(RefusedCellReason(cell=r.cell.name, reason=r.reason) for r in sweep.refused),
        failed=tuple(collected.failed),
        stale=tuple(collected.stale),
        unfinished=tuple(collected.unfinished),
        collapsed=tuple(collected.collapsed),
        domains=domains_of(tasks, sweep, {task.task: of for task, _, of in reports}),
        across=across_tasks(tasks, {task.task: (drawn, of) for task, drawn, of in reports}),
        replication=None if against is None else replicate(against, tasks, sweep),
        totals=collected.tally.totals(len(sweep.refused)),
        phases=() if sweep.runs_from is not None else collected.phases.costs(),
        weights=weights_origins(sweep),
        runs_from=sweep.runs_from,
        provenance=sweep.provenance,
        config=sweep.config,
    )


def _task(
    task: TaskSpec, sweep: SweepRecord, collected: Collected, axes: Sequence[tuple[Objective, ...]]
) -> tuple[TaskReport, Mapping[str, Draws], ReplicatesByKey]:
    cells = [c for c in collected.cells.values() if c.cell.task == task.name]
    comparisons = comparisons_of(cells)
    refused = [r for r in sweep.refused if r.cell.task == task.name]
    guess = collected.guessing(task)
    counting = Counting(sweep.failures, task.metric, guess.scores)
    target = NEAR if sweep.good_enough is None else sweep.good_enough.of(task.name)
    unit = task.unit if task.metric in IN_THE_UNIT else None
    replicates = replicates_of(cells, comparisons, counting)
    plain = tuple(
        p.model_copy(update={"plain": plain_name(p.cell, sweep, p.total_parameters)})
        for p in points_of(cells, refused, comparisons, sweep, counting)
    )
    pairs = student_teacher_pairs(plain, sweep)
    uncertainty = uncertainty_of(
        (task.name, task.title, task.metric), plain, replicates, pairs, axes, target, counting.guessed, unit
    )
    uncertainty = _as_far_as_tested(uncertainty, sweep, replicates)
    points = uncertainty.points
    report = TaskReport(
        task=task.name,
        title=task.title,
        kind=task.kind,
        metric=task.metric,
        metric_title=metric_title(task.metric, unit),
        invented=task.invented,
        doubts=tuple(doubts(task, collected.counted(task.name), collected.data_changed[task.name])),
        notes=(
            *task_notes(task, collected, len(comparisons), points),
            *guessed(task, guess),
            *of_metric(task),
            *independence(
                task, {r.examples.unit for c in cells for r in c.results if r.examples is not None}
            ),
            *_of_money(sweep, cells),
        ),
        comparisons=tuple(comparisons.values()),
        answers=answers(
            task.metric,
            tuple(comparisons.values()),
            points,
            uncertainty.claims,
            uncertainty.good_enough,
            target,
            uncertainty.unlearned,
            unit,
        ),
        points=points,
        beside=_beside(task),
        refusals=refusal_groups(refused),
        tuned=searched_cells(points, sweep),
        axes=setting_effects(points, sweep),
        pairs=pairs,
        frontiers=uncertainty.frontiers,
        claims=uncertainty.claims,
        groups=uncertainty.groups,
        good_enough=uncertainty.good_enough,
        target=target,
        unit=unit,
        target_is_own=sweep.good_enough is not None and sweep.good_enough.names(task.name),
        sizes=data_line(task, collected.counted(task.name), collected.classes(task.name), points),
        guessing=dict(guess.scores) if guess.known else {},
        unlearned=uncertainty.unlearned,
        not_above_guessing=uncertainty.guessing,
        currency=None if sweep.prices is None else sweep.prices.currency,
    )
    return report.model_copy(update={"scores": scores_of(report)}), uncertainty.draws, replicates


def _as_far_as_tested(
    uncertainty: Uncertainty, sweep: SweepRecord, replicates: ReplicatesByKey
) -> Uncertainty:
    """Leave out what a rehearsal, or runs of others that were never repeated, cannot say."""
    if rehearsal(sweep):
        uncertainty = uncertainty._replace(
            groups=(), claims=(), unlearned=dict.fromkeys(replicates, REHEARSAL)
        )
    repeated = any(p.quality is not None and p.quality.n > 1 for p in uncertainty.points)
    if sweep.runs_from is not None and not repeated:
        uncertainty = uncertainty._replace(groups=(), claims=(), good_enough=())
    return uncertainty


def _of_money(sweep: SweepRecord, cells: Sequence[CellResults]) -> list[str]:
    by_device: dict[str, list[Result]] = {}
    for result in (result for cell in cells for result in cell.results):
        by_device.setdefault(result.key[0], []).append(result)
    note = money_note(sweep, list(by_device.items()))
    return [note] if note and by_device else []


def _beside(task: TaskSpec) -> MetricName | None:
    """Return the study's own metric, where the task asks for it."""
    ways = {TaskKind.NER: MetricName.SUBWORD_F1, TaskKind.RELATION: MetricName.MICRO_F1_WITH_NEGATIVE}
    return ways.get(task.kind) if task.paper_scoring else None
