"""One sweep file, opened: checked, its inputs hashed, its ledger read, its plan made."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from rich.console import Console

from orchestrator.cli.own_cache import own_cache
from orchestrator.cli.paths import cache_of, mirror_of
from orchestrator.cli.staging import fetch_shared, share
from orchestrator.cli.staging_pace import StagingPace
from orchestrator.cli.steps import Steps, showing
from orchestrator.cli.terminal import Terminal, styled
from orchestrator.cli.worker_calls import ask
from orchestrator.config import Inputs, ResolvedSweep, digest_inputs, load_sweep
from orchestrator.config.inputs import lengths_of
from orchestrator.config.known_counts import ByLength, remember_counts
from orchestrator.config.lock import Lock, lock_entry, lock_path, unlocked, with_staged, write_lock
from orchestrator.config.weights_files import check_weights
from orchestrator.contracts import layout
from orchestrator.contracts.backbone import BackboneSpec, HubWeights, MadeWeights, RandomWeights
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.requests import Staged, StagedShare, StageRequest
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.errors import ConfigError, Problem, StorageError
from orchestrator.execution.devices import first_gpu
from orchestrator.planning import Plan, make_plan
from orchestrator.planning.budget import mistakes
from orchestrator.planning.probes import probe_sweep, usable
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.probes import probe_history
from orchestrator.units import byte_size, duration


@dataclass(frozen=True)
class Session:
    sweep: ResolvedSweep
    inputs: Inputs
    reopen: Callable[[Lock], Session] | None = None  # the same sweep under another lock
    steps: Steps = field(default_factory=Steps, compare=False)  # how far it is with what takes long

    @cached_property
    def ledger(self) -> Ledger:
        remote, directory = self.sweep.remote, self.sweep.sweep_directory
        return Ledger(directory, None if remote is None else mirror_of(remote, self.sweep.config.name))

    @cached_property
    def cpus(self) -> int:
        """Cores that this process may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    @property
    def slots(self) -> int:
        """Trials that these cores take at once."""
        return max(1, self.cpus // self.sweep.config.resources.cpus)

    @cached_property
    def plan(self) -> Plan:
        slots = None if self.sweep.config.resources.gpus else self.slots
        try:
            self._pull()
        except StorageError as failed:
            notice = "the plan knows only the records that are on this machine"
            Terminal(stderr=True).print(
                styled(f"{notice}:", "yellow"), str(failed), highlight=False, soft_wrap=True
            )
        return make_plan(
            self.sweep,
            self.inputs,
            self.ledger.history(at=self.steps.begin("records read")),
            slots=slots,
            probes=self.probes,
            before=self.ledger.last_sweep() if self.sweep.config.partial else None,
            at=self.steps.begin("cells planned"),
        )

    def plan_aloud(self, console: Console) -> Plan:
        """Return `plan`, and show how far it is while it is made."""
        with showing(console, self.steps, prefix=""):
            return self.plan

    @cached_property
    def probing(self) -> Session:
        """Open the sweep of this one's probes, in a directory of its own."""
        return Session(probe_sweep(self.sweep), self.inputs)

    @cached_property
    def probes(self) -> dict[str, TrialHistory]:
        """Return the probe results that are not stale. Without probe records, no probes are planned for
        it."""
        if self.sweep.config.name.endswith(layout.PROBES) or not self.probing.ledger.directory.is_dir():
            return {}
        planned = self.probing.plan
        return usable(planned, probe_history(self.probing.ledger, planned.trials))

    def refuse_missing(self) -> None:
        """A plan shows what is missing; nothing that trains starts without it, or with a mistake in its
        budget. Raises StorageError where the storage cannot be reached."""
        if self.inputs.missing:
            raise ConfigError([*self.inputs.missing, *mistakes(self.plan)])
        self._pull()

    def _pull(self) -> None:
        if self.ledger.mirror is not None:
            self.ledger.mirror.pull()

    @cached_property
    def backbones(self) -> dict[str, BackboneSpec]:
        return {cell.backbone.name: cell.backbone for cell in self.sweep.grid.cells}

    @cached_property
    def unlocked(self) -> tuple[BackboneSpec, ...]:
        """Backbones of the hub whose commits are not locked: staging does it."""
        return unlocked(self.backbones.values(), self.sweep.lock)

    def stage(self, console: Console, *, tell_present: bool = False, convert: bool = False) -> Session:
        """Generate, fetch and verify weights and data in a worker's process, and lock what comes from the
        hub. Gives the session to continue with, whose plan names the locked commits and knows what was
        counted in the data. Files of the user are read each time, so that a fault in them stops all trials.

        `tell_present`: says what is there already, too, and hashes it. `convert`: pickled weights of a hub,
        where it has no others. Raises ConfigError with all that cannot be had.
        """
        tasks = {c.task.spec.name: c.task.spec for c in self.sweep.grid.cells}
        cache = cache_of(self.sweep.storage)
        remote = self.sweep.remote is not None
        if remote:
            present = fetch_shared(self, tell_present)
        else:
            present = not tell_present and _all_made(self.backbones.values(), tasks.values(), cache)
        asked = [task for task in tasks.values() if not (present and task.invented)]
        if present and not asked:
            return self
        self._tell_what_moved(console)
        entries = {name: lock_entry(spec, self.sweep.lock) for name, spec in self.backbones.items()}
        request = StageRequest(
            cache_dir=str(cache),
            data_dir=str(self.sweep.data_dir) if self.sweep.data_dir else None,
            backbones=() if present else tuple(self.backbones.values()),
            tasks=tuple(asked),
            lengths=lengths_of(self.sweep),
            dev_rows=self._dev_rows(),
            locked={name: entry.files for name, entry in entries.items() if entry is not None},
            rehash=tell_present,
            convert=convert,
            shares=True,
        )
        began = time.monotonic()
        staged: dict[str, tuple[str, dict[str, str]]] = {}
        problems: list[Problem] = []
        counted: dict[str, ByLength] = {}
        to_come = dict.fromkeys([*(task.name for task in asked), *([] if present else self.backbones)])
        weights = {backbone.name for backbone in request.backbones}
        pace = StagingPace(to_come, weights, "weights and corpora are ready")
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
                if answer.problem is not None:
                    problems += _problems_of(answer.item, answer.problem)
                if answer.counts:
                    counted[answer.item] = answer.counts
                if answer.commit is not None:
                    staged[answer.item] = (answer.commit, answer.files)
        lock = self._lock(staged, console)
        problems = problems or ([] if present else check_weights(self.sweep.grid.cells, cache))
        if problems:
            raise ConfigError(problems)
        session = self if lock == self.sweep.lock or self.reopen is None else self.reopen(lock)
        session = session._with_counts(tasks, counted)
        if remote and not present:
            share(session, console, tell_present)
        if tell_present:
            console.print(f"everything is here ({duration(time.monotonic() - began)})", highlight=False)
        return session

    def count_sizes(self, console: Console) -> Session:
        """Let a worker read the tasks of files whose entries do not state their size and that nothing has
        counted yet. A task that it cannot read is reported, and stops nothing: a plan runs no trial."""
        tasks = {
            cell.task.spec.name: cell.task.spec
            for cell in self.sweep.grid.cells
            if cell.task.spec.train_examples is None or cell.task.spec.mean_tokens is None
        }
        uncounted = {
            name: task
            for name, task in tasks.items()
            if not task.invented and self.inputs.data.get(name) and not self.inputs.counts.get(name)
        }
        if not uncounted:
            return self
        request = StageRequest(
            cache_dir=str(cache_of(self.sweep.storage)),
            data_dir=str(self.sweep.data_dir),
            tasks=tuple(uncounted.values()),
            lengths={name: lengths_of(self.sweep)[name] for name in uncounted},
        )
        counted: dict[str, ByLength] = {}
        pace = StagingPace(uncounted, frozenset(), "corpora are counted")
        with showing(console, pace.steps):
            for answer in map(Staged.model_validate, ask("workers.stage", request)):
                pace.ready(answer.item)
                if answer.problem is not None:
                    console.print(f"{answer.item}: {answer.problem}", style="yellow", highlight=False)
                counted |= {answer.item: answer.counts} if answer.counts else {}
        return self._with_counts(uncounted, counted)

    def _dev_rows(self) -> dict[str, list[int]]:
        """Return by task the caps on dev of its cells."""
        caps: dict[str, set[int]] = {}
        for cell in self.sweep.grid.cells:
            if cell.recipe.dev_rows is not None:
                caps.setdefault(cell.task.spec.name, set()).add(cell.recipe.dev_rows)
        return {task: sorted(rows) for task, rows in caps.items()}

    def _with_counts(self, tasks: Mapping[str, TaskSpec], counted: Mapping[str, ByLength]) -> Session:
        cache = cache_of(self.sweep.storage)
        counts = dict(self.inputs.counts)
        for name, by_length in counted.items():
            data = self.inputs.data.get(name)
            if data is not None:
                remember_counts(cache, tasks[name], data, by_length)
                counts[name] = by_length
        return replace(self, inputs=self.inputs.model_copy(update={"counts": counts}))

    def _tell_what_moved(self, console: Console) -> None:
        for spec in self.unlocked:
            entry = self.sweep.lock.backbones.get(spec.name)
            if entry is not None and isinstance(spec.weights, HubWeights):
                console.print(
                    f"{spec.name}: locked as {entry.hub} at {entry.asked}, the catalogue now names "
                    f"{spec.weights.hub} at {spec.weights.revision}; it will be resolved again",
                    highlight=False,
                )

    def _lock(self, staged: dict[str, tuple[str, dict[str, str]]], console: Console) -> Lock:
        """Writes what is new in it."""
        lock = with_staged(self.sweep.lock, self.backbones.values(), staged)
        if lock == self.sweep.lock:
            return lock
        path = lock_path(self.sweep.file)
        names = ", ".join(sorted(staged))
        try:
            write_lock(path, lock)
            console.print(f"locked {names}: {path.name}; keep it with the sweep file", highlight=False)
        except OSError as failed:
            reason = f"{path} cannot be written ({type(failed).__name__})"
            console.print(f"{names}: locked for this run only, {reason}", style="yellow", highlight=False)
        return lock


def _problems_of(item: str, words: str) -> Iterator[Problem]:
    """Split the text of an error, which may hold several problems, into where, problem and fix."""
    for message in re.split(r"\n(?=backbone )", words):
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


def open_session(
    config: Path,
    overrides: Sequence[str],
    *,
    smoke: bool = False,
    lock: Lock | None = None,
    steps: Steps | None = None,
) -> Session:
    """`lock` takes the place of the lock file. `steps` hears what is hashed. Raises ConfigError with
    every mistake of the file, the catalogue and the overrides, else of the weights that are here."""
    sweep = load_sweep(config, overrides, cwd=Path.cwd(), smoke=smoke, lock=lock, gpu_here=first_gpu)
    cache = cache_of(sweep.storage)
    steps = steps or Steps()
    steps.begin("checking corpora and weights")

    def at(item: str, read: int, total: int) -> None:
        if total and not steps.total:
            steps.begin("hashed", byte_size)
        steps.at(read, total)
        steps.doing = item

    inputs = digest_inputs(sweep, cache, own_cache(), hub_token=_has_hub_token(), at=at)
    if wrong := check_weights(sweep.grid.cells, cache):
        raise ConfigError([*inputs.missing, *wrong])
    return Session(sweep, inputs, lambda new: open_session(config, overrides, smoke=smoke, lock=new))


def _has_hub_token() -> bool:
    """Return whether the hub's client will find a token: in the environment, or where its login stores it."""
    home = os.environ.get("HF_HOME") or Path("~/.cache/huggingface").expanduser()
    file = Path(os.environ.get("HF_TOKEN_PATH") or Path(home) / "token")
    return bool(os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN")) or file.is_file()
