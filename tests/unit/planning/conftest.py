"""Sweeps to plan, and ledgers to plan them against."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.config import Inputs, ResolvedSweep, load_sweep
from orchestrator.contracts.sweep import PlannedTrial
from orchestrator.contracts.trial_history import FingerprintHistory, TrialHistory
from orchestrator.contracts.vocabulary import TrialState
from orchestrator.planning import Plan, make_plan

GOOD: dict[str, Any] = {
    "name": "ours",
    "models": ["tiny", "base"],
    "domains": ["general", "clinical"],
    "methods": ["full", "lora"],
    "tasks": ["ncbi-disease", "mts-dialog"],
    "seeds": [12, 34],
}

Sweep = Callable[..., ResolvedSweep]


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Loads a good sweep with some keys changed."""
    directory = tmp_path_factory.mktemp("sweeps")

    def _sweep(**keys: Any) -> ResolvedSweep:
        file: Path = directory / "ours.yaml"
        file.write_text(yaml.safe_dump(GOOD | keys))
        return load_sweep(file, cwd=directory)

    return _sweep


def inputs(sweep: ResolvedSweep, **changes: Any) -> Inputs:
    """Digests that are the names, so that every task and backbone has its own."""
    return Inputs(
        data={name: f"data of {name}" for name in sweep.catalogue.tasks},
        weights={b.name: f"weights of {b.name}" for b in sweep.catalogue.backbones.values()},
        code="code",
        metrics="1",
    ).model_copy(update=changes)


@pytest.fixture(scope="session")
def plan(sweep: Sweep) -> Callable[..., Plan]:
    """Plans a sweep; `history`, `slots` and `probes` go to the planner, all other keys into the file."""

    def _plan(
        history: dict[str, TrialHistory] | None = None,
        slots: int | None = None,
        probes: dict[str, TrialHistory] | None = None,
        **keys: Any,
    ) -> Plan:
        resolved = sweep(**keys)
        return make_plan(resolved, inputs(resolved), history or {}, slots=slots, probes=probes)

    return _plan


@pytest.fixture(scope="session")
def finished() -> Callable[..., dict[str, TrialHistory]]:
    """The ledger after some trials of a plan have finished."""

    def _finished(plan: Plan, trials: Iterable[PlannedTrial], **keys: Any) -> dict[str, TrialHistory]:
        done = FingerprintHistory(state=TrialState.FINISHED, **keys)
        return {
            trial.name: TrialHistory(by_fingerprint={trial.fingerprint: done}, last=plan.spec(trial))
            for trial in trials
        }

    return _finished
