"""The launcher of a sweep: what runs its trials, where, and how often it tries."""

from __future__ import annotations

from orchestrator.cli.paths import cache_of
from orchestrator.cli.run.weights_content import weights_content
from orchestrator.cli.session import Session
from orchestrator.contracts.files import current_umask
from orchestrator.contracts.gpus import visible_gpus
from orchestrator.execution.launcher import ClusterChoice, Launcher, Workplace
from orchestrator.execution.retries import RetryPolicy
from orchestrator.planning import Plan

_DASHBOARD_SECONDS = 60  # a forecast below it: the cluster has no dashboard, unless it was asked for


def launcher_for(session: Session, name: str, cluster: ClusterChoice) -> Launcher:
    workplace = workplace_of(session)
    config = session.sweep.config
    if name == "local":
        from orchestrator.execution.local_launcher import LocalLauncher

        return LocalLauncher(
            workplace,
            retry_policy(session),
            cpus=session.cpus,
            gpus=[gpu.uuid for gpu in visible_gpus()] if config.resources.gpus else (),
            concurrency=config.concurrency,
        )
    from orchestrator.execution.ray.launcher import RayLauncher

    return RayLauncher(
        workplace,
        retry_policy(session),
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


def workplace_of(session: Session) -> Workplace:
    config = session.sweep.config
    return Workplace(
        sweep_directory=session.sweep.sweep_directory,
        cache_dir=cache_of(session.sweep.storage),
        data_dir=session.sweep.data_dir,
        checkpoint_seconds=config.checkpoint_seconds,
        keep_weights=config.keep_weights,
        keep_gib=config.keep_gib,
        deterministic=config.deterministic,
        timeout_seconds=config.attempt_seconds,
        weights=weights_content(session),
        umask=current_umask(),
        remote=session.sweep.remote,
    )


def retry_policy(session: Session) -> RetryPolicy:
    return RetryPolicy(retries=session.sweep.config.retries)
