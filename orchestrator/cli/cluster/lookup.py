"""A sweep that is not on this machine: whether the cluster of the kubeconfig has it."""

from __future__ import annotations

from rich.console import Console

from orchestrator.cli.cluster_options import ClusterOptions, has_kubeconfig
from orchestrator.cluster.ray_job import RayJob
from orchestrator.cluster.sweeps import Sweeps
from orchestrator.errors import ConfigError, LaunchError, Problem


class InClusterError(ConfigError):
    """The records are not here: the sweep `name` is in the cluster of `sweeps`. `job`: None where it was
    stopped."""

    def __init__(self, sweep: str, storage: str, sweeps: Sweeps, name: str, job: RayJob | None) -> None:
        self.sweeps, self.name, self.job = sweeps, name, job
        there = f"namespace {sweeps.cluster.namespace} of {sweeps.cluster.host}"
        state = "stopped" if job is None else str(job)
        problem = f"the records of {sweep!r} are not here; the sweep is in {there} ({state})"
        fetch, status = (sweeps.cluster.command(verb, name) for verb in ("fetch", "status"))
        fix = f"run {fetch}, which copies them; {status} asks the cluster"
        super().__init__([Problem(storage, "", problem, fix)])


def look_in_cluster(sweep: str, storage: str, where: ClusterOptions) -> str:
    """Raise InClusterError where the cluster that is meant has a sweep of that name or id. Return what
    is to be said of the cluster otherwise, "" without a kubeconfig. Waits for seconds only."""
    if not (where.is_given or has_kubeconfig()):
        return ""
    try:
        cluster = where.reach(lambda words: None, patient=False)
        sweeps = Sweeps(cluster, lambda line: None)
        names = sweeps.ids_of(sweep)
        if not names:
            return f"; namespace {cluster.namespace} of {cluster.host} has none of that name either"
        job = sweeps.job(names[0] if len(names) == 1 else sweeps.named(sweep))
    except LaunchError as error:
        return f"; the cluster was asked as well: {str(error).splitlines()[0]}"
    raise InClusterError(sweep, storage, sweeps, names[0], job)


def show_in_cluster(error: InClusterError, console: Console) -> None:
    """Show once what a sweep does, as its cluster reports it."""
    from orchestrator.cli.cluster.submit import SubmitView
    from orchestrator.cluster.watch import look_at

    def say(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True)

    cluster, name = error.sweeps.cluster, error.name
    say(f"{name}, in namespace {cluster.namespace} of {cluster.host}:")
    if error.job is None:
        say(f"stopped; {cluster.command('resume', name)} continues from its records")
    else:
        SubmitView(Sweeps(cluster, say), None).show(look_at(cluster, error.job))
    follow, fetch = (cluster.command(verb, name) for verb in ("follow", "fetch"))
    say(f"{follow} shows what comes; {fetch} copies the records here")
