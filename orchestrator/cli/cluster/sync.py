"""`frontier sync` of a sweep whose records are in a cluster: it runs there."""

from __future__ import annotations

from orchestrator.cli.cluster.submit import SubmitView
from orchestrator.cluster.documents import KubeObject, get
from orchestrator.cluster.follow import await_news
from orchestrator.cluster.ray_job import RayJob, Step, next_job_step
from orchestrator.cluster.resources import RAY_JOBS
from orchestrator.cluster.sweep_files import config_in
from orchestrator.cluster.sweeps import Sweeps
from orchestrator.cluster.sync_job import sync_job
from orchestrator.cluster.watch import look_at, submitter_log
from orchestrator.errors import LaunchError

_LAST_LINES = 3  # of the driver, where it fails


def sync_in_cluster(sweeps: Sweeps, name: str) -> None:
    """Write the records of the sweep of that id to the MLflow of its cluster. Raises LaunchError where the
    sweep still runs, or it cannot be done."""
    job, config_map = sweeps.objects_of(name)
    config = config_in(config_map, name)
    if config is None:
        raise LaunchError(f"{name}: its ConfigMap is gone\n    -> {sweeps.submit_command}")
    live = sweeps.job(name)
    if live is not None and not live.ended:
        command = sweeps.cluster.command("follow", name)
        raise LaunchError(
            f"{name} runs: its driver writes to MLflow, and all that was missed at its end\n"
            f"    -> {command}, then run this again if something is still missing"
        )
    cluster, body = sweeps.cluster, sync_job(job, str(config.get("storage", "")))
    created = RayJob(_next_job(sweeps, body))
    sweeps.say(f"{created.name} writes to MLflow, in the cluster; its head takes a moment to start")
    try:
        _await_end(sweeps, created)
    finally:
        cluster.delete(RAY_JOBS, created.name, created.uid)


def _next_job(sweeps: Sweeps, body: KubeObject) -> KubeObject:
    """One that has ended makes way; two at once would wait for each other's lock."""
    name = str(get(body, "metadata", "name"))
    before = sweeps.job(name)
    if before is not None and not before.ended and not before.going:
        raise LaunchError(f"{name} runs already: somebody else writes to MLflow\n    -> wait for its end")
    if before is not None:
        sweeps.delete(before)
    return sweeps.cluster.create(RAY_JOBS, body)


def _await_end(sweeps: Sweeps, job_created: RayJob) -> None:
    view = SubmitView(sweeps, None)
    while True:
        job = sweeps.job(job_created.name)
        if job is None:
            raise LaunchError(
                f"{job_created.name} was deleted before its end\n    -> run the same command again"
            )
        view.show(look_at(sweeps.cluster, job))
        step = Step.WAIT if job.going else next_job_step(job)
        if step is not Step.WAIT:
            break
        await_news(sweeps, job)
    log_lines = [line.strip() for line in submitter_log(sweeps.cluster, job).splitlines() if line[:2] == "  "]
    if step is not Step.SUCCEEDED:
        raise LaunchError("\n".join([f"{job.name} ended: {job}", *log_lines[-_LAST_LINES:]]))
    for line in log_lines[-1:]:
        sweeps.say(line)
