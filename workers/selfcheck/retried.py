"""Run a trial with the launchers' own retries: attempts in one slot, until it finishes or is given up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from orchestrator.contracts import layout
from orchestrator.contracts.outcome import Bill, Outcome
from orchestrator.contracts.resources import Resources
from orchestrator.contracts.trial import TrialSpec
from orchestrator.execution.clock import SystemClock
from orchestrator.execution.launcher import TrialOrder, Workplace
from orchestrator.execution.retries import NextStep, RetryPolicy, next_step
from orchestrator.execution.worker_slot import HostFactory, Slot
from workers.selfcheck.results import CheckProblemError
from workers.selfcheck.workspace import Ran, Trials


def run_with_retries(
    trials: Trials,
    trial: TrialSpec,
    resources: Resources,
    host: HostFactory,
    name: str,
    *,
    checkpoint_seconds: float = 3600.0,
    keep_weights: Literal["all", "none"] = "none",
) -> list[tuple[Ran, Bill]]:
    """Return the attempts with their bills, oldest first."""
    workplace = Workplace(
        sweep_directory=trials.folder / "sweeps" / name,
        cache_dir=trials.cache,
        data_dir=trials.data,
        checkpoint_seconds=checkpoint_seconds,
        keep_weights=keep_weights,
    )
    slot = Slot(host, resources.threads, workplace, SystemClock())
    bills, outcomes = list[Bill](), list[Outcome]()
    try:
        while next_step(outcomes, RetryPolicy()) is NextStep.ATTEMPT:
            attempt = slot.attempt(TrialOrder(trial, resources))
            if attempt is None:
                raise CheckProblemError("the slot was interrupted")
            outcomes.append(attempt.outcome)
            bills.append(attempt.bill)
    finally:
        slot.close()
    directories = _attempts(workplace.sweep_directory, trial)
    return [(Ran.read(directory), bill) for directory, bill in zip(directories, bills, strict=True)]


def _attempts(sweep: Path, trial: TrialSpec) -> Sequence[Path]:
    return [path for _, path in layout.attempts(layout.trial_directory(sweep, trial.name))]
