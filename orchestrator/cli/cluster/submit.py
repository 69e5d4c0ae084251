"""Submitting a sweep to a cluster, following it, stopping it, going on with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from orchestrator.cli.cluster.pending import OPERATOR_SECONDS, silent_operator, waits_for
from orchestrator.cli.cluster.remote_records import RemoteRecords
from orchestrator.cli.cluster.sweep_end import tell_end
from orchestrator.cli.cluster_options import ClusterOptions
from orchestrator.cluster.capacity import groups
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.dashboard import progress
from orchestrator.cluster.documents import get, mapping
from orchestrator.cluster.follow import LOOK_SECONDS, follow
from orchestrator.cluster.render import Rendered
from orchestrator.cluster.sweep_files import config_in
from orchestrator.cluster.sweeps import Sweeps
from orchestrator.cluster.watch import Look, head_pod
from orchestrator.errors import InterruptedSweepError, LaunchError
from orchestrator.execution.clock import Clock, SystemClock
from orchestrator.units import duration, quantity

_MOST_SILENCE_SECONDS = 20.0


def open_sweeps(namespace: str | None, context: str | None, console: Console) -> Sweeps:
    def say(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True)

    where = ClusterOptions(namespace, context)
    return Sweeps(where.reach(lambda words: say(f"the cluster warns: {words}")), say)


def put_into(rendered: Rendered, namespace: str) -> None:
    """Put both objects into a namespace."""
    for body in (rendered.config_map, rendered.ray_job):
        body["metadata"]["namespace"] = namespace


def most_pods(rendered: Rendered) -> str:
    """`at most 4 pods at once: head, submitter, 2 cpu`, and the GPUs that makes."""
    worker_groups = groups(mapping(get(rendered.ray_job, "spec", "rayClusterSpec")))
    parts = ["head", "submitter", *(f"{group.pods} {group.name}" for group in worker_groups)]
    gpus = sum(group.pods * group.gpus for group in worker_groups)
    many = 2 + sum(group.pods for group in worker_groups)
    return f"at most {many} pods at once: {', '.join(parts)}" + (f"; {quantity(gpus, 'GPU')}" if gpus else "")


def follow_to_end(sweeps: Sweeps, name: str, storage: str | None, console: Console, bring: bool) -> int:
    """Ends with the report where the records are in reach, or may be brought. Gives the exit code."""
    view = SubmitView(sweeps, storage)
    with _told_how_to_attach(name, sweeps.cluster):
        end = follow(sweeps, name, view.show)
    return tell_end(end, name, view.records(), sweeps, console, bring)


@contextmanager
def _told_how_to_attach(name: str, cluster: Cluster) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedSweepError(
            f"{name} runs on in the cluster; {cluster.command('follow', name)} attaches again, "
            f"{cluster.command('stop', name)} ends it"
        ) from None


class SubmitView:
    """Says every line once, and what is waited for where nothing else was said for a while. `storage`: where
    this machine sees that of the pods, if elsewhere."""

    def __init__(self, sweeps: Sweeps, storage: str | None, clock: Clock | None = None) -> None:
        self._sweeps, self._storage, self._clock = sweeps, storage, clock or SystemClock()
        self._said: dict[str, str] = {}
        self._found: RemoteRecords | None = None
        self._said_at = self._clock.now()
        self._waits, self._since = "", self._said_at
        self._seen: dict[str, float] = {}  # since when, by uid of the RayJob

    def show(self, look: Look) -> None:
        if self._found is None:
            self._found = self._records(look)
        seen = self._seen.setdefault(look.job.uid, self._clock.now())
        unheard = not (look.job.deployment or look.job.suspended or look.job.going)
        if unheard and self._clock.now() - seen >= OPERATOR_SECONDS:
            self._say("operator", silent_operator(self._sweeps.cluster))
        self._say("state", str(look.job))
        if look.job.suspended and not look.job.queued_by:
            self._say("suspended", f"{self._sweeps.cluster.command('resume', look.job.name)} continues it")
        pods = ", ".join(f"{role} {ready}/{every}" for role, (ready, every) in look.pods.items())
        self._say("pods", f"pods ready: {pods}" if pods else "")
        for group in look.pending:
            self._say(f"{group.who} {group.why}", str(group))
        for line in look.doings:
            self._say(line, line)
        self._say("submitter", f"submitter: {look.submitter}" if look.submitter else "")
        self._say("trials", self._trials(look) or "")
        self._break_silence(look)

    def _break_silence(self, look: Look) -> None:
        """Before the next look might come too late."""
        now, waits = self._clock.now(), waits_for(look, self._sweeps.cluster)
        if waits != self._waits:
            self._waits, self._since = waits, now
        if not look.job.ended and now - self._said_at >= _MOST_SILENCE_SECONDS - LOOK_SECONDS:
            self._said_at = now
            self._sweeps.say(f"waits for {waits}: {duration(now - self._since)} so far")

    def records(self) -> RemoteRecords | None:
        return self._found

    def _records(self, look: Look) -> RemoteRecords | None:
        config = config_in(self._sweeps.files.of(look.job), look.job.sweep_name)
        if config is None:
            return None
        options = mapping(config.get("storage_options"))
        written_to = str(config.get("storage", ""))
        return RemoteRecords(look.job.sweep_name, written_to, self._storage, options, self._sweeps.say)

    def _trials(self, look: Look) -> str | None:
        counted = None if self._found is None else self._found.counts()
        if counted is not None or look.job.ray_state != "RUNNING":
            return counted
        try:
            pod = head_pod(self._sweeps.cluster, look.job)
            return None if pod is None else progress(self._sweeps.cluster, look.job, pod)
        except LaunchError as error:
            return f"no word from the driver: {error}"

    def _say(self, what: str, line: str) -> None:
        if line and self._said.get(what) != line:
            self._said[what] = line
            self._said_at = self._clock.now()
            self._sweeps.say(line)
