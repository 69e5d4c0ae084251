"""`frontier run`: plan, stage, launch, report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.cli.paths import cache_of
from orchestrator.cli.plan.budget import pass_gate, tell_left
from orchestrator.cli.plan.forecast import taken
from orchestrator.cli.plan.view import show_plan
from orchestrator.cli.results.report import show_report, summary_note, write
from orchestrator.cli.run.live import Display, closing_line
from orchestrator.cli.run.provenance import provenance, version
from orchestrator.cli.run.weights_content import weights_content
from orchestrator.cli.session import Session
from orchestrator.cli.steps import Steps, showing
from orchestrator.cli.strict.gate import refuse_risks
from orchestrator.cli.terminal import styled
from orchestrator.contracts.files import current_umask
from orchestrator.contracts.gpus import visible_gpus
from orchestrator.contracts.sweep import SweepRecord
from orchestrator.contracts.verdict import Verdict, reasons
from orchestrator.errors import InterruptedSweepError
from orchestrator.execution.clock import SystemClock, VirtualClock
from orchestrator.execution.launcher import ClusterChoice, Launcher, Workplace
from orchestrator.execution.progress import Progress
from orchestrator.execution.retries import RetryPolicy
from orchestrator.execution.run import RunSummary, run_sweep
from orchestrator.planning import Plan
from orchestrator.planning.budget import limits
from orchestrator.report import report_json
from orchestrator.tracking import events
from orchestrator.tracking.ledger import Ledger
from orchestrator.tracking.mlflow_view import MlflowView
from orchestrator.tracking.published import Published
from orchestrator.tracking.tracking_uri import without_secrets
from orchestrator.units import duration, quantity

_DASHBOARD_SECONDS = 60  # a forecast below it: the cluster has no dashboard, unless it was asked for


def run(
    session: Session, launcher: str, cluster: ClusterChoice, uri: str, console: Console
) -> tuple[dict[str, Any], Verdict]:
    """Runs what is missing and writes the report. Gives the report as JSON, and how it ended. Raises
    OverBudgetError before anything starts where the forecast is beyond the sweep's budget."""
    from orchestrator.cli.plan.probes import calibrate  # which runs its sweep as this module does

    session.ledger.refuse_copy()
    session.refuse_missing()
    refuse_risks(session, launcher, cluster, console)
    with _nodes_ahead(session, launcher, cluster):
        session = session.stage(console)  # before the plan, whose fingerprints name the commits that it locks
    plan = session.plan_aloud(console)
    show_plan(plan, console)
    allowance = pass_gate(plan, console)
    with _told_how_to_go_on():
        session = calibrate(session, launcher, cluster, console)
    plan = session.plan
    record = record_of(session, cluster)
    view = MlflowView(uri, record, Published(uri, session.ledger.directory))
    progress = Progress()
    doing = partial(events.doing, session.sweep.sweep_directory)
    with Display(console, progress, doing) as display, _told_how_to_go_on():
        summary = run_sweep(
            plan,
            record,
            ledger=session.ledger,
            launcher=launcher_for(session, launcher, cluster),
            view=view,
            notify=display.update,
            clock=SystemClock(),
            allowance=allowance,
        )
    if plan.to_run or plan.candidates_to_run:
        _say_what_it_took(session, progress, summary, console)
    with showing(console, Steps(), prefix="") as steps:
        report, paths = write(session.ledger, only_changed=True, steps=steps)
    if session.ledger.mirror is not None:
        session.ledger.mirror.push_report()
    view.publish_summary(report.totals, summary_note(report))
    show_report(report, paths, console)
    if view.warning:
        console.print(view.warning, style="yellow", highlight=False)
    if session.sweep.remote is not None:
        there = f"{session.sweep.remote.uri}/{session.sweep.config.name}"
        console.print(f"records: {there}", highlight=False, soft_wrap=True)
        if uri.startswith("sqlite"):
            console.print(
                "MLFLOW_TRACKING_URI is not set: MLflow's runs are on this machine alone; with it "
                f"set, `frontier sync {there}` writes them to a server",
                style="yellow",
                highlight=False,
                soft_wrap=True,
            )
    console.print(f"MLflow:  {without_secrets(uri)}  (frontier ui opens it)", highlight=False, soft_wrap=True)
    if summary.held:
        tell_left(replace(session).plan, console)
    verdict = Verdict(
        trials=len(plan.trials),
        finished=summary.up_to_date + summary.finished,
        failed=summary.failed,
        not_run=summary.not_run,
        held=summary.held,
        reasons=reasons((failed.kind, failed.message) for failed in report.failed),
        unpublished=view.warning,
    )
    return report_json(report), verdict


@contextmanager
def _nodes_ahead(session: Session, launcher: str, cluster: ClusterChoice) -> Iterator[None]:
    """While it is held, a cluster that grows is asked for the nodes of the first trial."""
    if launcher != "ray" or not session.sweep.config.capacity:  # planned before staging only for this
        yield
        return
    first = next(iter(session.plan.candidates_to_run or session.plan.to_run), None)
    refused = any(limit.is_over for limit in limits(session.plan))  # by the budget, before anything starts
    if first is None or refused:
        yield
        return
    from orchestrator.execution.ray.launcher import nodes_ahead

    if session.sweep.remote is None:  # the pods mount it: made by a node, it would be root's
        cache_of(session.sweep.storage).mkdir(parents=True, exist_ok=True)
    with nodes_ahead(cluster, first.trial.resources):
        yield


@contextmanager
def _told_how_to_go_on() -> Iterator[None]:
    """The command line's library would only say that it was aborted."""
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedSweepError("interrupted; the same command continues from here") from None


def rehearse(session: Session, console: Console) -> dict[str, Any]:
    """Run the same plan in virtual time, in a scratch directory, and return as JSON how long it would take.
    Raises OverBudgetError if a run would."""
    from orchestrator.execution.simulated_launcher import SimulatedLauncher

    plan, clock = session.plan, VirtualClock()
    show_plan(plan, console)
    allowance = pass_gate(plan, console)
    slots = session.sweep.config.concurrency or session.slots
    with tempfile.TemporaryDirectory(prefix="frontier-rehearsal-") as scratch:
        directory = Path(scratch) / session.sweep.config.name
        launcher = SimulatedLauncher(
            replace(_workplace(session), sweep_directory=directory, remote=None),
            _policy(session),
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


def launcher_for(session: Session, name: str, cluster: ClusterChoice) -> Launcher:
    workplace = _workplace(session)
    config = session.sweep.config
    if name == "local":
        from orchestrator.execution.local_launcher import LocalLauncher

        return LocalLauncher(
            workplace,
            _policy(session),
            cpus=session.cpus,
            gpus=[gpu.uuid for gpu in visible_gpus()] if config.resources.gpus else (),
            concurrency=config.concurrency,
        )
    from orchestrator.execution.ray.launcher import RayLauncher

    return RayLauncher(
        workplace,
        _policy(session),
        address=cluster.address,
        insecure=cluster.insecure,
        dashboard=_with_dashboard(session.plan, cluster),
        cpus=session.cpus,
        concurrency=config.concurrency,
        capacity=config.capacity,
    )


def _with_dashboard(plan: Plan, cluster: ClusterChoice) -> bool:
    """Return whether a cluster of our own starts Ray's dashboard, which takes 4 CPU-seconds and has little to
    show of a sweep that ends within a minute."""
    seconds = plan.forecast.wall_seconds
    long = seconds is None or seconds >= _DASHBOARD_SECONDS
    return long if cluster.dashboard is None else cluster.dashboard


def _workplace(session: Session) -> Workplace:
    config = session.sweep.config
    return Workplace(
        sweep_directory=session.sweep.sweep_directory,
        cache_dir=cache_of(session.sweep.storage),
        data_dir=session.sweep.data_dir,
        checkpoint_seconds=config.checkpoint_seconds,
        keep_weights=config.keep_weights,
        deterministic=config.deterministic,
        weights=weights_content(session),
        umask=current_umask(),
        remote=session.sweep.remote,
    )


def _policy(session: Session) -> RetryPolicy:
    return RetryPolicy(retries=session.sweep.config.retries)


def record_of(session: Session, cluster: ClusterChoice) -> SweepRecord:
    origins = provenance(session.inputs)
    if cluster.insecure and cluster.address:
        origins["cluster"] = "joined whether it asks for a token or not (--insecure-cluster)"
    return session.plan.record(written_at=SystemClock().now(), frontier_version=version(), provenance=origins)


def _say_what_it_took(session: Session, progress: Progress, summary: RunSummary, console: Console) -> None:
    console.print(f"{closing_line(progress)} in {duration(summary.wall_seconds)}", highlight=False)
    console.print(taken(session.plan.forecast, summary.device_hours), highlight=False)
    for reason in summary.not_run:
        console.print(styled("not run", "red"), reason, highlight=False)
    for planned, product in summary.elsewhere:
        console.print(
            styled("another GPU", "yellow"),
            f"trials planned for {planned} ran on {product}\n"
            f"    -> correct the label frontier/device of its nodes, or set resources.device to what it is",
            highlight=False,
            soft_wrap=True,
        )
    for machine in summary.faulty:
        console.print(
            styled("faulty GPU", "yellow"),
            f"{machine}: it ended attempts, which ran again elsewhere\n"
            "    -> look at `nvidia-smi` and for Xid in `dmesg` there",
            highlight=False,
            soft_wrap=True,
        )
