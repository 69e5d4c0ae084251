"""A plan, as a person reads it and as `--json` prints it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from orchestrator.cli.plan.attempt_limit import over_attempt_hours, show_over_attempt_hours
from orchestrator.cli.plan.budget import budget_json
from orchestrator.cli.plan.forecast import forecast_lines, measuring
from orchestrator.cli.plan.memory_warnings import show_too_large, too_large
from orchestrator.cli.plan.placement import placement_json, show_calibrations, show_placements
from orchestrator.cli.plan.recipes import learning_rates, recipes_json, show_few_steps
from orchestrator.cli.plan.searches import (
    contaminated,
    contamination_json,
    search_json,
    show_searches,
    unknown_pretraining,
)
from orchestrator.cli.plan.staging import to_stage, to_stage_json
from orchestrator.cli.plan.tokens import token_lines, tokens_json
from orchestrator.cli.plan.weights import show_logged, show_weights, weights_json
from orchestrator.cli.terminal import plain_table, styled
from orchestrator.config.inputs import lengths_of
from orchestrator.config.known_counts import ByLength
from orchestrator.config.lock import unlocked
from orchestrator.contracts.caveats import caveats
from orchestrator.contracts.sweep import RefusedCell
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split
from orchestrator.planning import Plan, ToRun
from orchestrator.planning.kept_weights import logged_bytes
from orchestrator.planning.steps import with_few_steps
from orchestrator.units import quantity

_MOST_LINES = 12  # of a list on the console; --json has all


def plan_json(plan: Plan) -> dict[str, object]:
    """Stable keys: folds (by task), cells, recipes, few_steps, refused, to_run, up_to_date, stale, placed,
    too_large, over_attempt_hours, searches, caveats, contaminated, unknown_pretraining, forecast, budget,
    missing, unlocked, pickled, weights, logged_bytes, to_stage, tokens, notes, kept, outdated."""

    def line(item: ToRun) -> dict[str, object]:
        return {"trial": item.trial.name, "reason": item.reason, "changed": list(item.changed)}

    return {
        "sweep": plan.sweep.config.name,
        "folds": _folds(plan),
        "cells": list(dict.fromkeys(trial.cell.name for trial in plan.trials)),
        "recipes": recipes_json(plan),
        "few_steps": with_few_steps(plan),
        "refused": [{"cell": r.cell.name, "reason": r.reason} for r in plan.refused],
        "to_run": [line(item) for item in plan.to_run],
        "up_to_date": [trial.name for trial in plan.up_to_date],
        "stale": [line(item) for item in plan.stale],
        "placed": placement_json(plan),
        "too_large": too_large(plan),
        "over_attempt_hours": over_attempt_hours(plan),
        "searches": [search_json(search) for search in plan.searches],
        "caveats": _caveats(plan),
        "contaminated": contamination_json(plan),
        "unknown_pretraining": unknown_pretraining(plan),
        "forecast": plan.forecast.model_dump(mode="json"),
        "budget": budget_json(plan),
        "missing": [str(problem) for problem in plan.inputs.missing],
        "unlocked": _unlocked(plan),
        "pickled": _pickled(plan),
        "weights": weights_json(plan),
        "logged_bytes": logged_bytes(plan) if plan.sweep.config.log_models else 0,
        "to_stage": to_stage_json(plan),
        "tokens": tokens_json(plan),
        "notes": list(plan.sweep.notes),
        "kept": [trial.name for trial in plan.kept],
        "outdated": [trial.name for trial in plan.outdated],
    }


def _folds(plan: Plan) -> dict[str, int]:
    """Return the number of folds by task, of the tasks that have them."""
    tasks = {cell.task.spec.name: cell.task.spec.folds for cell in plan.sweep.grid.cells}
    return {name: folds for name, folds in tasks.items() if folds is not None}


def _caveats(plan: Plan) -> dict[str, list[str]]:
    """Return by task what is known of its data that changes how a score is read: what staging or an
    inspection counted, else what `mean_tokens` of the task gives."""
    tasks = {cell.task.spec.name: cell.task.spec for cell in plan.sweep.grid.cells}
    caveats_by_task = {
        name: _caveats_of(task, plan.inputs.counts.get(name, {})) for name, task in tasks.items()
    }
    lengths = lengths_of(plan.sweep)
    for name, task in tasks.items():
        if not plan.inputs.counts.get(name) and (task.mean_tokens or 0) >= min(lengths[name]):
            caveats_by_task[name] = [
                f"Texts are cut: on average they have {task.mean_tokens} tokens (mean_tokens of the task), "
                f"and max_length is {min(lengths[name])}."
            ]
    return {name: lines for name, lines in caveats_by_task.items() if lines}


def _caveats_of(task: TaskSpec, by_length: ByLength) -> list[str]:
    counted = [(split, counts) for by_split in by_length.values() for split, counts in by_split.items()]
    return caveats(task, {split: [c for s, c in counted if s == split] for split in Split})


def _unlocked(plan: Plan) -> list[str]:
    cells, lock = plan.sweep.grid.cells, plan.sweep.lock
    backbones = unlocked({cell.backbone.name: cell.backbone for cell in cells}.values(), lock)
    tasks = unlocked({cell.task.spec.name: cell.task.spec for cell in cells}.values(), lock)
    return sorted({*(backbone.name for backbone in backbones), *(task.name for task in tasks)})


def _pickled(plan: Plan) -> list[str]:
    """Backbones whose weights have to be converted: none is in the lock yet."""
    backbones = {cell.backbone.name: cell.backbone for cell in plan.sweep.grid.cells}
    waiting = unlocked(backbones.values(), plan.sweep.lock)
    return sorted(backbone.name for backbone in waiting if backbone.pickled)


def show_plan(plan: Plan, console: Console) -> None:
    config = plan.sweep.config
    console.print(styled(config.name, "bold"), *([f" {config.question}"] if config.question else []))
    console.print(_table(plan))
    for task, folds in _folds(plan).items():
        seeds = quantity(len(config.seeds), "seed")
        console.print(
            f"{task}: {seeds} x {folds} folds a cell; each document is tested once per seed", highlight=False
        )
    show_few_steps(plan, console)
    for note in plan.sweep.notes:
        console.print(styled("note", "cyan"), note, highlight=False)
    show_placements(plan, console)
    show_calibrations(plan, console)
    show_too_large(plan, console)
    show_over_attempt_hours(plan, console)
    show_searches(plan, console)
    _show_refused(plan.refused, console)
    _show_contaminated(plan, console)
    for task, lines in _caveats(plan).items():
        for line in lines:
            console.print(styled(f"{task}:", "yellow"), line, highlight=False)
    _show_stale(plan.stale, console)
    _show_kept(plan, console)
    for problem in plan.inputs.missing[:_MOST_LINES]:
        console.print(styled("missing", "yellow"), str(problem), highlight=False)
    if names := _unlocked(plan):
        console.print(
            f"not, or not all, in the lock file yet: {', '.join(names)}; `frontier stage` adds it",
            highlight=False,
        )
    if names := _pickled(plan):
        console.print(
            f"last seen with pickled weights only, which are not read: {', '.join(names)}; "
            "`frontier stage` with --convert fetches and converts them",
            highlight=False,
        )
    told = token_lines(plan) if plan.to_run or plan.candidates_to_run else ()
    for line in [*to_stage(plan), *forecast_lines(plan)]:
        console.print(line, highlight=False)
    if plan.forecast.unknown_trials:
        console.print(f"    -> {measuring(plan)} finds out", highlight=False, soft_wrap=True)
    for line in told:
        console.print(line, highlight=False)
    show_weights(plan, console)
    show_logged(plan, console)


def _table(plan: Plan) -> Table:
    """A row a model, domain and method; the tasks are columns of trials."""
    reasons = {item.trial.name: item.reason for item in plan.to_run}
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    tasks: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for trial in plan.trials:
        key = (trial.cell.model, trial.cell.domain, trial.cell.method)
        counts[key][reasons.get(trial.name, "up to date")] += 1
        tasks[key].add(trial.cell.task)
    shown = [
        r
        for r in ("waiting", "new", "unfinished", "failed", "stale", "up to date")
        if any(c[r] for c in counts.values())
    ]
    table = plain_table()
    for name in ("model", "domain", "method"):
        table.add_column(name)
    for name in ("learning rate", "tasks", "trials", *shown):
        table.add_column(name, justify="right")
    rates = learning_rates(plan)
    for key, by_reason in counts.items():
        figures = [str(by_reason[reason] or "·") for reason in shown]
        table.add_row(*key, rates.get(key, ""), str(len(tasks[key])), str(by_reason.total()), *figures)
    return table


def _show_refused(refused: Sequence[RefusedCell], console: Console) -> None:
    """Show refused cells, the most common reason first."""
    cells: dict[str, list[str]] = defaultdict(list)
    for item in refused:
        cells[item.reason].append(item.cell.name)
    by_count = sorted(cells.items(), key=lambda pair: -len(pair[1]))
    for reason, names in by_count[:_MOST_LINES]:
        where = names[0] if len(names) == 1 else f"{len(names):,} cells, say {names[0]}"
        console.print(styled("refused", "yellow"), f"{where}: {reason}", highlight=False)
    if len(cells) > _MOST_LINES:
        rest = sum(len(names) for _, names in by_count[_MOST_LINES:])
        more = quantity(len(cells) - _MOST_LINES, "more reason")
        console.print(f"… {more} for {quantity(rest, 'cell')}; --json lists them", highlight=False)


def _show_contaminated(plan: Plan, console: Console) -> None:
    contaminations = contaminated(plan)
    for (backbone, corpus), tasks in list(contaminations.items())[:_MOST_LINES]:
        console.print(
            styled("contaminated", "yellow"),
            f"{backbone} read {corpus} in its pretraining: {', '.join(tasks)}",
            highlight=False,
        )
    if len(contaminations) > _MOST_LINES:
        console.print(f"… {quantity(len(contaminations) - _MOST_LINES, 'more backbone')}; --json lists them")
    if names := unknown_pretraining(plan):
        console.print(
            f"what the pretraining of {', '.join(names)} read is not known", style="dim", highlight=False
        )


def _show_kept(plan: Plan, console: Console) -> None:
    """Show what a partial sweep leaves out."""
    if not plan.kept:
        return
    cells = len({trial.cell for trial in plan.kept})
    kept = f"{quantity(len(plan.kept), 'trial')} of {quantity(cells, 'cell')}"
    console.print(
        styled("kept", "cyan"),
        f"{kept} that this part of the sweep leaves out: status, report and MLflow still show their results",
        highlight=False,
    )
    if old := len(plan.outdated):
        console.print(
            styled("kept", "yellow"),
            f"{old:,} of these results come{'s' if old == 1 else ''} from other data, weights or code; "
            "run the whole sweep to update them",
            highlight=False,
        )


def _show_stale(stale: Sequence[ToRun], console: Console) -> None:
    """Show stale trials, grouped by the reasons why they are."""
    by_change: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for item in stale:
        by_change[item.changed].append(item.trial.name)
    for changed, names in list(by_change.items())[:_MOST_LINES]:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        console.print(
            styled("stale", "yellow"), f"{names[0]}{more}: {'; '.join(changed) or 'changed'}", highlight=False
        )
    if len(by_change) > _MOST_LINES:
        console.print(f"… {len(by_change) - _MOST_LINES} more changes; --json lists them")
