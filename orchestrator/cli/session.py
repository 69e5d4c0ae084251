"""One sweep file, opened: checked, its inputs hashed, its ledger read, its plan made."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from orchestrator.cli.places import cache_of
from orchestrator.cli.words import duration
from orchestrator.cli.worker_calls import ask
from orchestrator.config import Inputs, ResolvedSweep, digest_inputs, load_sweep
from orchestrator.contracts.backbone import BackboneSpec, MadeWeights, RandomWeights
from orchestrator.contracts.made import made_root
from orchestrator.contracts.task import TaskSpec
from orchestrator.errors import ConfigError
from orchestrator.planning import Plan, make_plan
from orchestrator.tracking.ledger import Ledger


@dataclass(frozen=True)
class Session:
    sweep: ResolvedSweep
    inputs: Inputs

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.sweep.sweep_directory)

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
        return make_plan(self.sweep, self.inputs, self.ledger.history(), slots=slots)

    def refuse_missing(self) -> None:
        """A plan shows what is missing; nothing that trains starts without it."""
        if self.inputs.missing:
            raise ConfigError(self.inputs.missing)

    def stage(self, console: Console, *, tell_present: bool = False) -> None:
        """Makes, fetches and verifies weights and data in a process of the worker's."""
        cells = self.sweep.grid.cells
        backbones = {c.backbone.name: c.backbone for c in cells}
        tasks = {c.task.spec.name: c.task.spec for c in cells}
        cache = cache_of(self.sweep.storage)
        if not tell_present and _all_made(backbones.values(), tasks.values(), cache):
            return
        request = {
            "cache_dir": str(cache),
            "data_dir": str(self.sweep.data_dir) if self.sweep.data_dir else None,
            "backbones": [b.model_dump(mode="json") for b in backbones.values()],
            "tasks": [t.model_dump(mode="json") for t in tasks.values()],
        }
        began = time.monotonic()
        with console.status("staging weights and data"):
            for answer in ask("workers.stage", request):
                if tell_present or answer["state"] != "present":
                    seconds = f" in {duration(answer['seconds'])}" if answer.get("seconds") else ""
                    console.print(f"staged {answer['item']}: {answer['state']}{seconds}", highlight=False)
        if tell_present:
            console.print(f"everything is here ({duration(time.monotonic() - began)})", highlight=False)


def _all_made(backbones: Iterable[BackboneSpec], tasks: Iterable[TaskSpec], cache: Path) -> bool:
    """Nothing to fetch, and what is made on the spot lies there: no need to start a process to hear that."""
    weights = [backbone.weights for backbone in backbones]
    made = [made_root(cache, w) for w in weights if isinstance(w, MadeWeights | RandomWeights)]
    data = [made_root(cache, task) for task in tasks if task.invented]
    return len(made) == len(weights) and all(root.is_dir() for root in [*made, *data])


def open_session(config: Path, overrides: Sequence[str], *, smoke: bool = False) -> Session:
    """Raises ConfigError with every mistake of the file, the catalogue and the overrides."""
    sweep = load_sweep(config, overrides, cwd=Path.cwd(), smoke=smoke)
    return Session(sweep, digest_inputs(sweep, cache_of(sweep.storage)))
