"""`frontier run --launcher simulated`: the plan in virtual time, without training."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from orchestrator.cli.corpus_counts import count_sizes
from orchestrator.cli.plan.budget import pass_gate
from orchestrator.cli.plan.view import show_plan
from orchestrator.cli.run.launchers import retry_policy, workplace_of
from orchestrator.cli.run.provenance import record_of
from orchestrator.cli.session import Session
from orchestrator.cli.token_counts import count_tokens
from orchestrator.execution.clock import VirtualClock
from orchestrator.execution.launcher import ClusterChoice
from orchestrator.execution.run import run_sweep
from orchestrator.tracking.ledger import Ledger
from orchestrator.units import duration, quantity


def rehearse(session: Session, console: Console) -> dict[str, object]:
    """Run the same plan in virtual time, in a scratch directory, and return as JSON how long it would take.
    Raises OverBudgetError if a run would."""
    from orchestrator.execution.simulated_launcher import SimulatedLauncher

    session = count_tokens(count_sizes(session, console), console)  # as `plan` does: both give one forecast
    plan, clock = session.plan, VirtualClock()
    show_plan(plan, console)
    allowance = pass_gate(plan, console)
    slots = session.sweep.config.concurrency or session.slots
    with tempfile.TemporaryDirectory(prefix="frontier-rehearsal-") as scratch:
        directory = Path(scratch) / session.sweep.config.name
        launcher = SimulatedLauncher(
            replace(workplace_of(session), sweep_directory=directory, remote=None),
            retry_policy(session),
            slots=slots,
            clock=clock,
        )
        summary = run_sweep(
            plan,
            record_of(session, ClusterChoice()),
            ledger=Ledger(directory),
            launcher=launcher,
            view=None,
            notify=lambda event: None,
            clock=clock,
            allowance=allowance,
        )
    record = {
        "sweep": session.sweep.config.name,
        "attempts": summary.attempts,
        "places": slots,
        "wall_seconds": summary.wall_seconds,
        "device_hours": summary.device_hours,
        "device": plan.forecast.device,
        "held": summary.held,
    }
    if not summary.attempts:
        return record
    attempts, at_once = quantity(summary.attempts, "attempt"), quantity(slots, "place")
    console.print(
        f"rehearsed in virtual time, nothing was trained or recorded: {attempts} at {at_once} would take "
        f"{duration(summary.wall_seconds)} and {summary.device_hours:.3f} {plan.forecast.device}"
        + ("; then the budget is spent, and trials are left" if summary.held else ""),
        highlight=False,
    )
    return record
