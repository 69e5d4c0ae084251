"""One sweep file, opened: checked, its inputs hashed, its ledger read, its plan made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rich.console import Console

from orchestrator.cli.own_cache import own_cache
from orchestrator.cli.paths import cache_of, mirror_of
from orchestrator.cli.steps import Steps, showing
from orchestrator.cli.terminal import Terminal, styled
from orchestrator.config import Inputs, ResolvedSweep, digest_inputs, load_sweep
from orchestrator.config.lock import Lock, entry_at_commit, unlocked
from orchestrator.config.weights_files import check_weights
from orchestrator.contracts import layout
from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.cores import usable_cores
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.trial_history import TrialHistory
from orchestrator.errors import ConfigError, StorageError
from orchestrator.execution.devices import first_gpu
from orchestrator.planning import Plan, make_plan
from orchestrator.planning.budget import mistakes
from orchestrator.planning.probes import probe_sweep, usable
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.probes import probe_history
from orchestrator.units import byte_size


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
        return usable_cores()

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
    def tasks(self) -> dict[str, TaskSpec]:
        return {cell.task.spec.name: cell.task.spec for cell in self.sweep.grid.cells}

    @cached_property
    def unlocked(self) -> tuple[BackboneSpec | TaskSpec, ...]:
        """Backbones and data sets of the hub of which not all that is read is locked: staging does it."""
        lock = self.sweep.lock
        return (*unlocked(self.backbones.values(), lock), *unlocked(self.tasks.values(), lock))

    def locked_files(self, specs: Iterable[BackboneSpec | TaskSpec]) -> dict[str, dict[str, str]]:
        """Return sha256 by file of each of the specs whose commit is locked, by name."""
        entries = {spec.name: entry_at_commit(spec, self.sweep.lock) for spec in specs}
        return {name: entry.files for name, entry in entries.items() if entry is not None}


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
