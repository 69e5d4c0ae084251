"""One look at a sweep in its cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.cluster.client import Cluster
from orchestrator.cluster.documents import KubeObject, get
from orchestrator.cluster.naming import SWEEP_LABEL
from orchestrator.cluster.pending import PendingPods, counts, pending_pods, role
from orchestrator.cluster.pod_events import doings
from orchestrator.cluster.ray_job import RayJob
from orchestrator.cluster.resources import EVENTS, PODS
from orchestrator.contracts.verdict import Verdict, last_verdict
from orchestrator.errors import LaunchError

_LAST_LINES = 200  # of the submitter's log, which ends with the driver's
_MOST_WORDS = 400  # characters


@dataclass(frozen=True)
class Look:
    job: RayJob
    pods: dict[str, tuple[int, int]]  # role -> ready, all
    pending: tuple[PendingPods, ...]
    doings: tuple[str, ...] = ()  # nodes that are added, images that are pulled
    submitter: str = ""  # its last words, as long as no driver runs


def look_at(cluster: Cluster, job: RayJob) -> Look:
    pods = cluster.every(PODS, labels=f"{SWEEP_LABEL}={job.name}")
    events = cluster.every(EVENTS)
    ours = [event for event in events if _is_about(event, job)]
    text = "" if job.ray_state else _last_words(cluster, pods)
    pending = pending_pods(pods, ours, cluster.command("doctor"))
    return Look(job, counts(pods), tuple(pending), tuple(doings(pods, events)), text)


def _last_words(cluster: Cluster, pods: list[KubeObject]) -> str:
    """Return the last line of the newest submitter's log, or none if there is no log to read."""
    submitters = [pod for pod in pods if role(pod) == "submitter"]
    newest = max(submitters, key=_created, default=None)
    if newest is None:
        return ""
    try:
        lines = cluster.log(str(get(newest, "metadata", "name")), 1).splitlines()
    except LaunchError:
        return ""
    return lines[-1].strip()[:_MOST_WORDS] if lines else ""


def never_ran(cluster: Cluster, job: RayJob) -> bool:
    """Return whether none of its pods was ever ready, so that its file and overlay had no effect yet."""
    if not job.starting:
        return False
    pods = cluster.every(PODS, labels=f"{SWEEP_LABEL}={job.name}")
    return not any(ready for ready, _ in counts(pods).values())


def head_pod(cluster: Cluster, job: RayJob) -> str | None:
    """The name of the pod with the dashboard, once it runs."""
    selector = f"{SWEEP_LABEL}={job.name},ray.io/node-type=head"
    running = [p for p in cluster.every(PODS, labels=selector) if get(p, "status", "phase") == "Running"]
    return next((str(get(p, "metadata", "name")) for p in running if not _going(p)), None)


def driver_verdict(cluster: Cluster, job: RayJob) -> Verdict | None:
    """Return how the sweep ended according to the driver, from the submitter's log; None if that is gone, or
    the image has a version whose driver does not log it. Raises LaunchError if the log may not be read."""
    return next((verdict for log in _submitter_logs(cluster, job) if (verdict := last_verdict(log))), None)


def submitter_log(cluster: Cluster, job: RayJob) -> str:
    """The end of the newest one, with the driver's last lines indented; "" where there is none."""
    return next(_submitter_logs(cluster, job), "")


def _submitter_logs(cluster: Cluster, job: RayJob) -> Iterator[str]:
    """Newest first."""
    pods = cluster.every(PODS, labels=f"{SWEEP_LABEL}={job.name},frontier/role=submitter")
    for pod in sorted(pods, key=_created, reverse=True):
        yield cluster.log(str(get(pod, "metadata", "name")), _LAST_LINES)


def _created(body: KubeObject) -> str:
    return str(get(body, "metadata", "creationTimestamp") or "")


def _going(body: KubeObject) -> bool:
    return get(body, "metadata", "deletionTimestamp") is not None


def _is_about(event: KubeObject, job: RayJob) -> bool:
    """Return whether an event is about the RayJob itself, its present cluster or the Job that makes its
    submitter; KubeRay begins the names of all of them with the RayJob's. Events of an earlier cluster are
    past."""
    about = str(get(event, "involvedObject", "name") or "")
    kind = get(event, "involvedObject", "kind")
    if kind == "RayCluster":
        return about == job.cluster_name
    if kind == "RayJob":
        return get(event, "involvedObject", "uid") in (job.uid, None)
    return kind == "Job" and about == job.name and _since(event, job)


def _since(event: KubeObject, job: RayJob) -> bool:
    """Both times are RFC 3339 in UTC, so they compare as texts."""
    when = get(event, "lastTimestamp") or get(event, "eventTime") or ""
    return str(when) >= str(get(job.body, "metadata", "creationTimestamp") or "")
