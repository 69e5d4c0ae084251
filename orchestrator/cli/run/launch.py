"""`frontier run`: plan, stage, launch, report."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from rich.console import Console

from orchestrator.cli import staging
from orchestrator.cli.export.logged import log_models
from orchestrator.cli.operating_system import refuse_other_than_linux
from orchestrator.cli.paths import cache_of, in_command
from orchestrator.cli.plan.budget import pass_gate, tell_left
from orchestrator.cli.plan.forecast import taken
from orchestrator.cli.plan.probes import calibrate
from orchestrator.cli.plan.view import show_plan
from orchestrator.cli.results.report import build_and_write, show_report, summary_note
from orchestrator.cli.run.changed_data import tell_changed, watched_data
from orchestrator.cli.run.frontier_weights import keeper_of
from orchestrator.cli.run.kept_text import kept_line
from orchestrator.cli.run.launchers import launcher_for
from orchestrator.cli.run.live import Display, closing_line
from orchestrator.cli.run.provenance import record_of
from orchestrator.cli.session import Session
from orchestrator.cli.steps import Steps, showing
from orchestrator.cli.strict.gate import refuse_risks
from orchestrator.cli.terminal import styled
from orchestrator.cli.token_counts import count_tokens
from orchestrator.contracts.verdict import Verdict, commonest_reasons
from orchestrator.errors import InterruptedSweepError, LedgerError, StorageError
from orchestrator.execution.clock import SystemClock
from orchestrator.execution.launcher import ClusterChoice
from orchestrator.execution.progress import Progress
from orchestrator.execution.run import RunSummary, ahead, run_sweep
from orchestrator.planning.budget import limits
from orchestrator.report import Report, report_json
from orchestrator.tracking import events
from orchestrator.tracking.mlflow_view import MlflowView
from orchestrator.tracking.published import RunsInStore
from orchestrator.tracking.tracking_uri import without_secrets
from orchestrator.units import duration


def run(
    session: Session, launcher: str, cluster: ClusterChoice, uri: str, console: Console
) -> tuple[dict[str, object], Verdict]:
    """Runs what is missing and writes the report. Gives the report as JSON, and how it ended. Raises
    OverBudgetError before anything starts where the forecast is beyond the sweep's budget, LaunchError where
    no trial can run."""
    refuse_other_than_linux()
    session.ledger.refuse_copy()
    session.refuse_missing()
    refuse_risks(session, launcher, cluster, console)
    with _nodes_ahead(session, launcher, cluster):
        # Before the plan, whose fingerprints name the commits that staging locks.
        session = staging.stage(session, console)
    session = count_tokens(session, console)  # as `plan` does, so that both give one forecast
    plan = session.plan_aloud(console)
    show_plan(plan, console)
    allowance = pass_gate(plan, console)
    with _told_how_to_go_on():
        session = calibrate(session, launcher, cluster, console)
    plan, config = session.plan, session.sweep.config
    record = record_of(session, cluster)
    view = MlflowView(uri, record, RunsInStore(uri, session.ledger.directory))
    progress = Progress(places=_places(session, cluster))
    doing = partial(events.doing, session.sweep.sweep_directory)
    anything = bool(plan.to_run or plan.candidates_to_run)
    watched = watched_data(session, view, console, runs=anything)
    with watched as changed, Display(console, progress, doing) as display, _told_how_to_go_on():
        display.begin(ahead(plan))
        summary = run_sweep(
            plan,
            record,
            ledger=session.ledger,
            launcher=launcher_for(session, launcher, cluster),
            view=view,
            notify=display.update,
            clock=SystemClock(),
            allowance=allowance,
            keeper=keeper_of(session.ledger, record, config.keep_weights, config.keep_gib),
        )
    if anything:
        _say_what_it_took(session, progress, summary, console)
    with showing(console, Steps(), prefix="") as steps:
        report, paths = build_and_write(session.ledger, only_changed=True, steps=steps)
    if session.ledger.mirror is not None:
        session.ledger.mirror.push_report()
    view.publish_summary(report.totals, summary_note(report))
    show_report(report, paths, console)
    if config.log_models:
        _log_models(session, report, view, console)
    _say_where_it_is(session, view, uri, console)
    tell_changed(changed, console)
    if summary.held:
        tell_left(replace(session).plan, console)
    return report_json(report), _verdict(len(plan.trials), summary, report, view)


def _log_models(session: Session, report: Report, view: MlflowView, console: Console) -> None:
    """Log the models that MLflow lacks; another driver that runs the sweep by now does it at its end.
    What cannot be logged takes nothing from the report."""
    try:
        with _told_how_to_go_on(), session.ledger.lock():
            view.publish_models(partial(log_models, session.ledger, report, console))
    except (LedgerError, StorageError) as error:
        console.print(styled("not logged", "yellow"), f"models: {error}", highlight=False, soft_wrap=True)


def _places(session: Session, cluster: ClusterChoice) -> int:
    """Return how many trials will run at once, as far as this machine tells; 1 where it does not."""
    config = session.sweep.config
    if config.resources.gpus or cluster.address is not None:
        return 1
    return min(session.slots, config.concurrency or session.slots)


def _verdict(trials: int, summary: RunSummary, report: Report, view: MlflowView) -> Verdict:
    return Verdict(
        trials=trials,
        finished=summary.up_to_date + summary.finished,
        failed=summary.failed,
        not_run=summary.not_run,
        held=summary.held,
        reasons=commonest_reasons((failed.kind, failed.message) for failed in report.failed),
        unpublished=view.warning,
        unlogged=view.unlogged,
    )


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


def _say_where_it_is(session: Session, view: MlflowView, uri: str, console: Console) -> None:
    for warning in filter(None, (view.warning, view.unlogged)):
        console.print(warning, style="yellow", highlight=False)
    if session.sweep.remote is not None:
        there = f"{session.sweep.remote.uri}/{session.sweep.config.name}"
        console.print(f"records: {there}", highlight=False, soft_wrap=True)
        if uri.startswith("sqlite"):
            console.print(
                "MLFLOW_TRACKING_URI is not set: MLflow's runs are on this machine alone; with it "
                f"set, `frontier sync {shlex.quote(there)}` writes them to a server",
                style="yellow",
                highlight=False,
                soft_wrap=True,
            )
    opens = f"`frontier ui {in_command(session.sweep.sweep_directory)}` opens it"
    console.print(f"MLflow:  {without_secrets(uri)}  ({opens})", highlight=False, soft_wrap=True)


def _say_what_it_took(session: Session, progress: Progress, summary: RunSummary, console: Console) -> None:
    console.print(f"{closing_line(progress)} in {duration(summary.wall_seconds)}", highlight=False)
    console.print(taken(session.plan.forecast, summary.device_hours), highlight=False)
    if progress.weights is not None and progress.weights.kept:
        console.print(kept_line(progress.weights), highlight=False)
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
