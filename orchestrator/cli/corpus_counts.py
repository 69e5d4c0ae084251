"""Sizes of corpora that no entry states: a worker counts them once, for the forecast of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rich.console import Console

from orchestrator.cli.paths import cache_of
from orchestrator.cli.session import Session
from orchestrator.cli.staging_pace import StagingPace
from orchestrator.cli.steps import showing
from orchestrator.cli.worker_calls import ask
from orchestrator.config.data_digests import is_data_here
from orchestrator.config.inputs import lengths_of
from orchestrator.config.known_counts import ByLength, remember_counts
from orchestrator.contracts.requests import Staged, StageRequest
from orchestrator.contracts.task import TaskSpec


def count_sizes(session: Session, console: Console) -> Session:
    """Let a worker read the tasks of files whose entries do not state their size and that nothing has
    counted yet. A task that it cannot read is reported, and stops nothing: a plan runs no trial."""
    tasks = {
        cell.task.spec.name: cell.task.spec
        for cell in session.sweep.grid.cells
        if cell.task.spec.train_examples is None or cell.task.spec.mean_tokens is None
    }
    uncounted = {
        name: task
        for name, task in tasks.items()
        if not task.invented and session.inputs.data.get(name) and not session.inputs.counts.get(name)
        if is_data_here(task, session.sweep.lock, cache_of(session.sweep.storage))
    }
    if not uncounted:
        return session
    request = StageRequest(
        cache_dir=str(cache_of(session.sweep.storage)),
        data_dir=str(session.sweep.data_dir) if session.sweep.data_dir else None,
        tasks=tuple(uncounted.values()),
        locked_tasks=session.locked_files(uncounted.values()),
        lengths={name: lengths_of(session.sweep)[name] for name in uncounted},
    )
    counted: dict[str, ByLength] = {}
    pace = StagingPace(uncounted, frozenset(), "corpora are counted")
    with showing(console, pace.steps):
        for answer in map(Staged.model_validate, ask("workers.stage", request)):
            pace.ready(answer.item)
            if answer.problem is not None:
                console.print(f"{answer.item}: {answer.problem}", style="yellow", highlight=False)
            counted |= {answer.item: answer.counts} if answer.counts else {}
    return with_counts(session, uncounted, counted)


def with_counts(session: Session, tasks: Mapping[str, TaskSpec], counted: Mapping[str, ByLength]) -> Session:
    """Return the session with what was counted in the tasks, and keep it for the next command."""
    cache = cache_of(session.sweep.storage)
    counts = dict(session.inputs.counts)
    for name, by_length in counted.items():
        data = session.inputs.data.get(name)
        if data is not None:
            remember_counts(cache, tasks[name], data, by_length)
            counts[name] = by_length
    return replace(session, inputs=session.inputs.model_copy(update={"counts": counts}))
