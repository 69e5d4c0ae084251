"""`frontier plan --measure`: the probes that are missing are run, and the plan is made again. `frontier run`
makes those that its costs are taken from."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from orchestrator.cli import staging
from orchestrator.cli.operating_system import refuse_other_than_linux
from orchestrator.cli.run.launchers import launcher_for
from orchestrator.cli.run.live import Display
from orchestrator.cli.run.provenance import record_of
from orchestrator.cli.session import Session
from orchestrator.cli.strict.gate import refuse_risks
from orchestrator.errors import ConfigError, Problem
from orchestrator.execution.clock import SystemClock
from orchestrator.execution.launcher import ClusterChoice
from orchestrator.execution.progress import Progress
from orchestrator.execution.run import run_sweep
from orchestrator.planning import Plan
from orchestrator.planning.probes import billed_device_hours, uncalibrated
from orchestrator.planning.standalone import family_of
from orchestrator.units import duration, quantity, rounded


def measured_session(session: Session, launcher: str, cluster: ClusterChoice, console: Console) -> Session:
    """Gives the session to plan with. Raises ConfigError where something is missing, as a run would."""
    refuse_other_than_linux()
    if launcher == "simulated":
        fix = "use --launcher ray or local"
        raise ConfigError([Problem("command line", "--launcher", "simulated trials measure nothing", fix)])
    session.refuse_missing()
    refuse_risks(session, launcher, cluster, console)
    session = staging.stage(session, console)
    return run_probes(session, session.probing.plan, launcher, cluster, console)


def calibrate(session: Session, launcher: str, cluster: ClusterChoice, console: Console) -> Session:
    """Run the probes that costs are missing for: of the families of which a trial shares a GPU. Gives the
    session to continue with; the same one where there are none."""
    families = uncalibrated(session.plan)
    if not families:
        return session
    plan = session.probing.plan
    missing = tuple(item for item in plan.to_run if family_of(plan.cells[item.trial.cell.name]) in families)
    if not missing:
        return session
    return run_probes(session, replace(plan, to_run=missing), launcher, cluster, console)


def run_probes(
    session: Session, plan: Plan, launcher: str, cluster: ClusterChoice, console: Console
) -> Session:
    """`plan`: that of the probes. Gives the session to plan with."""
    probing = session.probing
    if plan.to_run:
        old = len(plan.up_to_date)
        reused = f", {old} as they were before" if old else ""
        console.print(f"measuring {quantity(len(plan.to_run), 'probe')}{reused}", highlight=False)
        progress = Progress()
        with Display(console, progress) as display:
            summary = run_sweep(
                plan,
                record_of(probing, cluster),
                ledger=probing.ledger,
                launcher=launcher_for(probing, launcher, cluster),
                view=None,
                notify=display.update,
                clock=SystemClock(),
            )
        console.print(
            f"{summary.finished} of {quantity(len(plan.to_run), 'probe')} finished in "
            f"{duration(summary.wall_seconds)}",
            highlight=False,
        )
    billed = billed_device_hours(probing.ledger.history().values())
    console.print(
        f"probes: {rounded(billed)} {plan.forecast.device} so far, billed separately; kept in "
        f"{probing.ledger.directory}",
        highlight=False,
        soft_wrap=True,
    )
    return replace(session)  # plans again
