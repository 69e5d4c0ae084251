"""What a RayJob says of itself, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.cluster.documents import KubeObject, get, items, mapping
from orchestrator.cluster.naming import QUEUE_LABEL, SWEEP_NAME
from orchestrator.errors import ExitCode

RECREATIONS, STOPPED = "frontier/recreations", "frontier/stopped"  # annotations

MOST_RECREATIONS = 3  # of one submission; each is a new cluster that continues from the records
_RECREATE = ("DeadlineExceeded", "JobStatusCheckTimeoutExceeded")  # ends that KubeRay never retries
_EXIT_CODE = re.compile(r"Job entrypoint command failed with exit code (-?\d+)")  # as Ray begins its message
_MAY_PASS = (ExitCode.NOT_STARTED, ExitCode.STORE_UNAVAILABLE, ExitCode.HELD)  # of the driver


class Step(StrEnum):
    WAIT = "wait"
    RECREATE = "recreate"
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # trials failed, or the cluster could not be had
    REFUSED = "refused"  # the driver calls the sweep's input wrong: no new cluster changes that
    STOPPED = "stopped"  # by a person, through `frontier stop` or as time was over
    GONE = "gone"  # deleted by somebody, or cleared away after its end


@dataclass(frozen=True)
class RayJob:
    body: KubeObject

    @property
    def name(self) -> str:
        return str(get(self.body, "metadata", "name"))

    @property
    def uid(self) -> str:
        return str(get(self.body, "metadata", "uid"))

    @property
    def version(self) -> str:
        return str(get(self.body, "metadata", "resourceVersion") or "")

    @property
    def annotations(self) -> KubeObject:
        return mapping(get(self.body, "metadata", "annotations"))

    @property
    def sweep_name(self) -> str:
        return str(self.annotations.get(SWEEP_NAME, self.name))

    @property
    def recreations(self) -> int:
        return int(self.annotations.get(RECREATIONS, 0))

    @property
    def going(self) -> bool:
        return get(self.body, "metadata", "deletionTimestamp") is not None

    @property
    def suspended(self) -> bool:
        return get(self.body, "spec", "suspend") is True

    @property
    def queued_by(self) -> str | None:
        """Return the queue of Kueue, which decides when the job starts."""
        return mapping(get(self.body, "metadata", "labels")).get(QUEUE_LABEL)

    @property
    def deployment(self) -> str:
        """Initializing, Running, Complete, Failed, Retrying, …; "" before the operator has looked."""
        return str(get(self.body, "status", "jobDeploymentStatus") or "")

    @property
    def ray_state(self) -> str:
        """PENDING, RUNNING, SUCCEEDED, FAILED, STOPPED, or ""."""
        return str(get(self.body, "status", "jobStatus") or "")

    @property
    def reason(self) -> str:
        return str(get(self.body, "status", "reason") or "")

    @property
    def message(self) -> str:
        """Return the first line of the message: Ray puts the end of the log below it."""
        lines = str(get(self.body, "status", "message") or "").splitlines()
        return lines[0] if lines else ""

    @property
    def exit_code(self) -> int | None:
        """Return the driver's exit code, if Ray reported it."""
        matched = _EXIT_CODE.match(self.message)
        return int(matched[1]) if matched else None

    @property
    def failures(self) -> int:
        """Clusters that failed and that KubeRay replaced on its own."""
        return int(get(self.body, "status", "failed") or 0)

    @property
    def cluster_name(self) -> str:
        return str(get(self.body, "status", "rayClusterName") or "")

    @property
    def submission_id(self) -> str:
        return str(get(self.body, "status", "jobId") or "")

    @property
    def config_map(self) -> str | None:
        """The name of the ConfigMap that holds the sweep's file."""
        head = get(self.body, "spec", "rayClusterSpec", "headGroupSpec", "template", "spec", "volumes")
        return next((str(get(v, "configMap", "name")) for v in items(head) if v.get("name") == "sweep"), None)

    @property
    def starting(self) -> bool:
        """Return whether no driver has been submitted yet, by its own status."""
        began = self.ray_state or self.failures or self.recreations
        return self.deployment in ("", "Initializing") and not began and not self.suspended

    @property
    def created(self) -> str:
        """RFC 3339 in UTC, so that such times compare as texts."""
        return str(get(self.body, "metadata", "creationTimestamp") or "")

    @property
    def ended(self) -> bool:
        return next_job_step(self) is not Step.WAIT

    def __str__(self) -> str:
        state = self.deployment or "waiting for the operator"
        if self.ray_state and self.ray_state != state.upper():
            state += f", driver {self.ray_state}"
        if self.reason:
            state += f", {self.reason}"
        parts = [state]
        if self.suspended and self.queued_by:
            parts.append(f"waits in the queue {self.queued_by}")
        elif self.suspended:
            parts.append("suspended")
        if self.failures:
            parts.append(f"clusters lost so far: {self.failures}")
        if self.recreations:
            parts.append(f"started again {self.recreations} of {MOST_RECREATIONS} times")
        return "; ".join(parts)


def next_job_step(job: RayJob) -> Step:
    """A pure function of the object. What its author stopped, and what its input forbids, never starts
    again."""
    if STOPPED in job.annotations:
        return Step.STOPPED
    if job.deployment == "Complete":
        # A driver that refuses its input has its own job stopped (`submitter`): KubeRay does not retry that.
        return {"SUCCEEDED": Step.SUCCEEDED, "STOPPED": Step.REFUSED}.get(job.ray_state, Step.FAILED)
    if job.deployment == "ValidationFailed":
        return Step.FAILED
    if job.deployment != "Failed":
        return Step.WAIT
    if job.ray_state == "STOPPED":
        return Step.STOPPED
    if job.ray_state == "SUCCEEDED":  # the driver ended well; what came after is of no interest
        return Step.SUCCEEDED
    if job.exit_code == ExitCode.WRONG_INPUT:
        return Step.REFUSED
    if job.reason in _RECREATE or job.exit_code in _MAY_PASS:
        return Step.RECREATE if job.recreations < MOST_RECREATIONS else Step.FAILED
    return Step.FAILED
