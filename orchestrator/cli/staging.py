"""Stage what a sweep needs: weights and data, made, fetched and hashed in a worker's process, and locked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from orchestrator.cli.corpus_counts import with_counts
from orchestrator.cli.paths import cache_of
from orchestrator.cli.session import Session
from orchestrator.cli.shared_staging import fetch_shared, share
from orchestrator.cli.staging_pace import StagingPace
from orchestrator.cli.steps import showing
from orchestrator.cli.worker_calls import ask
from orchestrator.config.inputs import lengths_of
from orchestrator.config.known_counts import ByLength
from orchestrator.config.lock import Lock, entry_at_commit, lock_path, repository_of, with_staged, write_lock
from orchestrator.config.paths import make_storage
from orchestrator.config.weights_files import check_weights
from orchestrator.contracts.backbone import BackboneSpec, MadeWeights, RandomWeights
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.requests import Staged, StagedShare, StageRequest
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import ConfigError, Problem
from orchestrator.units import duration

_Locked = dict[str, tuple[str, dict[str, str]]]  # commit, and sha256 by file


@dataclass
class _Answers:
    """What the worker has answered so far, by item."""

    weights: _Locked = field(default_factory=dict)  # of what was not locked before
    data: _Locked = field(default_factory=dict)
    counts: dict[str, ByLength] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, answer: Staged) -> None:
        if answer.problem is not None:
            self.problems += _problems_of(answer.item, answer.problem)
        if answer.counts:
            self.counts[answer.item] = answer.counts
        if answer.commit is not None:
            locked = self.data if answer.is_task else self.weights
            locked[answer.item] = (answer.commit, answer.files)


def stage(
    session: Session, console: Console, *, tell_present: bool = False, convert: bool = False
) -> Session:
    """Generate, fetch and verify weights and data in a worker's process, and lock what comes from the hub.
    Return the session to continue with, whose plan names the locked commits and knows what was counted in
    the data. Files of the user are read each time, so that a fault in them stops all trials.

    `tell_present`: says what is there already, too, and hashes it. `convert`: pickled weights of a hub, where
    it has no others. Raises ConfigError with all that cannot be had.
    """
    make_storage(session.sweep.storage, session.sweep.source)
    tasks, cache = session.tasks, cache_of(session.sweep.storage)
    remote = session.sweep.remote is not None
    if remote:
        present = fetch_shared(session, tell_present)
    else:
        present = not tell_present and _all_made(session.backbones.values(), tasks.values(), cache)
    to_read = tuple(task for task in tasks.values() if not (present and task.invented))
    if present and not to_read:
        return session
    _tell_what_moved(session, console)
    began = time.monotonic()
    backbones = () if present else tuple(session.backbones.values())
    request = _request(session, backbones, to_read, rehash=tell_present, convert=convert)
    answers = _answers(request, console, tell_present)
    lock = _lock(session, answers, console)
    problems = answers.problems or ([] if present else check_weights(session.sweep.grid.cells, cache))
    if problems:
        raise ConfigError(problems)
    staged = session if lock == session.sweep.lock or session.reopen is None else session.reopen(lock)
    staged = with_counts(staged, tasks, answers.counts)
    if remote and not present:
        share(staged, console, tell_present)
    if tell_present:
        console.print(f"everything is here ({duration(time.monotonic() - began)})", highlight=False)
    return staged


def _request(
    session: Session,
    backbones: tuple[BackboneSpec, ...],
    tasks: tuple[TaskSpec, ...],
    *,
    rehash: bool,
    convert: bool,
) -> StageRequest:
    return StageRequest(
        cache_dir=str(cache_of(session.sweep.storage)),
        data_dir=str(session.sweep.data_dir) if session.sweep.data_dir else None,
        backbones=backbones,
        tasks=tasks,
        lengths=lengths_of(session.sweep),
        dev_rows=_dev_rows(session),
        seeds=session.sweep.config.seeds,
        locked=session.locked_files(session.backbones.values()),
        locked_tasks=session.locked_files(tasks),
        extended=tuple(spec.name for spec in session.unlocked if isinstance(spec, TaskSpec)),
        rehash=rehash,
        convert=convert,
        shares=True,
    )


def _answers(request: StageRequest, console: Console, tell_present: bool) -> _Answers:
    """Let a worker stage what is requested, and show how far it is."""
    answers = _Answers()
    weights = {backbone.name: None for backbone in request.backbones}
    to_come = {task.name: None for task in request.tasks} | weights
    pace = StagingPace(to_come, set(weights), "weights and corpora are ready")
    with showing(console, pace.steps):
        for line in ask("workers.stage", request):
            if "share" in line:
                pace.hear(StagedShare.model_validate(line))
                continue
            answer = Staged.model_validate(line)
            pace.ready(answer.item)
            if tell_present or answer.state != "present":
                seconds = f" in {duration(answer.seconds)}" if answer.seconds else ""
                console.print(f"staged {answer.item}: {answer.state}{seconds}", highlight=False)
            answers.add(answer)
    return answers


def _dev_rows(session: Session) -> dict[str, list[int]]:
    """Return by task the caps on dev of its cells."""
    caps: dict[str, set[int]] = {}
    for cell in session.sweep.grid.cells:
        if cell.recipe.dev_rows is not None:
            caps.setdefault(cell.task.spec.name, set()).add(cell.recipe.dev_rows)
    return {task: sorted(rows) for task, rows in caps.items()}


def _tell_what_moved(session: Session, console: Console) -> None:
    for spec in session.unlocked:
        entry, repository = session.sweep.lock.of(spec), repository_of(spec)
        if entry_at_commit(spec, session.sweep.lock) is not None:
            console.print(
                f"{spec.name}: reads files that the lock does not name; they are added at the locked commit",
                highlight=False,
            )
        elif entry is not None and repository is not None:
            console.print(
                f"{spec.name}: locked as {entry.hub} at {entry.asked}, the catalogue now names "
                f"{repository[0]} at {repository[1]}; it will be resolved again",
                highlight=False,
            )


def _lock(session: Session, answers: _Answers, console: Console) -> Lock:
    """Return the lock with what was staged, and write what is new in it."""
    lock = with_staged(session.sweep.lock, session.backbones.values(), answers.weights)
    lock = with_staged(lock, session.tasks.values(), answers.data)
    if lock == session.sweep.lock:
        return lock
    path = lock_path(session.sweep.file)
    names = ", ".join(sorted({*answers.weights, *answers.data}))
    try:
        write_lock(path, lock)
        console.print(f"locked {names}: {path.name}; keep it with the sweep file", highlight=False)
    except OSError as failed:
        reason = f"{path} cannot be written ({type(failed).__name__})"
        console.print(f"{names}: locked for this run only, {reason}", style="yellow", highlight=False)
    return lock


def _problems_of(item: str, words: str) -> Iterator[Problem]:
    """Split the text of an error, which may hold several problems, into where, problem and fix."""
    for message in re.split(r"\n(?=\S)", words):
        sentence, _, fix = message.partition("\n    -> ")
        subject, colon, problem = sentence.partition(": ")
        where, what = (subject, problem) if colon else (item, sentence)
        yield Problem(where, "", what, fix or "fix that, then run `frontier stage` again")


def _all_made(backbones: Iterable[BackboneSpec], tasks: Iterable[TaskSpec], cache: Path) -> bool:
    """Return whether there is nothing to fetch and everything generated exists: then no process needs to
    start."""
    weights = [backbone.weights for backbone in backbones]
    roots = [made_root(cache, w) for w in weights if isinstance(w, MadeWeights | RandomWeights)]
    data = [made_root(cache, task) for task in tasks if task.invented]
    return len(roots) == len(weights) and all(root.is_dir() for root in [*roots, *data])
