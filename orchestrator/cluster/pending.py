"""Why pods of a sweep do not run yet, and the fix, from the pods and their events."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.cluster.documents import KubeObject, get, items, mapping

GROUP_LABEL, TYPE_LABEL = "ray.io/group", "ray.io/node-type"

_FIXES = (  # the first that matches
    (
        r"exceeded quota",
        "the ResourceQuota is used up: stop another sweep, or raise k8s/base/quota.yaml",
    ),
    (
        r"violates PodSecurity",
        "a container breaks the profile of the namespace: `frontier doctor --manifests` names it",
    ),
    (
        r"Insufficient nvidia\.com/gpu",
        "no node has a free GPU: wait for the cluster to add one, or lower maxReplicas of the group",
    ),
    (r"Insufficient (cpu|memory)", "no node has enough free: wait for one, or request less in the overlay"),
    (r"untolerated taint", "give the group a toleration of that taint, in the overlay"),
    (r"didn't match Pod's node affinity|node selector", "no node has the labels that the group asks for"),
    (r"ImagePull|ErrImage|InvalidImageName", "push the image, correct its name, or name an imagePullSecret"),
    (
        r"persistentvolumeclaim|unbound|FailedMount|FailedAttachVolume",
        "{doctor} checks the claims",
    ),
    (r"secret \"?\S+\"? not found|configmap \"?\S+\"? not found", "create it; {doctor} lists all"),
    (r"OOMKilled", "raise the memory of that pod in the overlay"),
)
_FATAL = {"FailedCreate", "FailedToCreateHeadPod", "FailedToCreateWorkerPod", "FailedCreatePod"}
_NAME_IN_POD = re.compile(r"(pods? )\"?[a-z0-9][-a-z0-9.]*\"?")


@dataclass(frozen=True)
class PendingPods:
    """Pods that wait for the same thing. `pods`: their number, 0 for pods that cannot be created."""

    who: str  # "head", "worker a100", "submitter", or the object that cannot create its pods
    pods: int
    why: str
    fix: str | None = None

    def __str__(self) -> str:
        many = (
            f"{self.pods} pods wait" if self.pods > 1 else "waits" if self.pods else "cannot create its pod"
        )
        return f"{self.who} {many}: {self.why}" + (f" -> {self.fix}" if self.fix else "")


def role(pod: KubeObject) -> str:
    labels = mapping(get(pod, "metadata", "labels"))
    kind = str(labels.get(TYPE_LABEL, ""))
    if kind == "worker":
        return f"worker {labels.get(GROUP_LABEL, '?')}"
    return kind or str(labels.get("frontier/role", "pod"))


def pending_pods(pods: Sequence[KubeObject], events: Sequence[KubeObject], doctor: str) -> list[PendingPods]:
    """Return the pods that wait, grouped by role and reason.

    `events` are those of the sweep's objects: an event on a head or submitter that could not be created
    counts until that pod exists, one on a worker always. `doctor` is the command that checks the cluster.
    """
    waiting: dict[tuple[str, str], int] = defaultdict(int)
    for pod in pods:
        why = _why(pod)
        if why is not None:
            waiting[role(pod), why] += 1
    pending = [
        PendingPods(pod_role, count, why, _fix(why, doctor)) for (pod_role, why), count in waiting.items()
    ]
    not_created = dict.fromkeys(_not_created(events))
    present = {role(pod) for pod in pods}
    never = [(pod_role, why) for pod_role, why in not_created if not _created(pod_role, why, present)]
    return pending + [PendingPods(pod_role, 0, why, _fix(why, doctor)) for pod_role, why in never]


def counts(pods: Sequence[KubeObject]) -> dict[str, tuple[int, int]]:
    """Return by role the number of ready pods and of all pods, without those that have ended or terminate."""
    by_role: dict[str, tuple[int, int]] = {}
    for pod in sorted((pod for pod in pods if not _over(pod)), key=role):
        ready, total = by_role.get(role(pod), (0, 0))
        by_role[role(pod)] = (ready + _ready(pod), total + 1)
    return by_role


def _ready(pod: KubeObject) -> bool:
    conditions = items(get(pod, "status", "conditions"))
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _over(pod: KubeObject) -> bool:
    ended = get(pod, "status", "phase") in ("Succeeded", "Failed")
    return ended or get(pod, "metadata", "deletionTimestamp") is not None


def _why(pod: KubeObject) -> str | None:
    """Return what keeps this pod from running, or None."""
    status = mapping(pod.get("status"))
    if _over(pod):
        return None
    for condition in items(status.get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _one_line(condition.get("message") or condition.get("reason"))
    for container in [*items(status.get("initContainerStatuses")), *items(status.get("containerStatuses"))]:
        waiting = mapping(get(container, "state", "waiting"))
        reason = str(waiting.get("reason", ""))
        if reason and reason not in ("ContainerCreating", "PodInitializing"):
            last = get(container, "lastState", "terminated", "reason")
            after = f" after {last}" if last else ""
            return _one_line(f"{reason}{after}: {waiting.get('message', '')}".rstrip(": "))
    return None


def _not_created(events: Sequence[KubeObject]) -> Iterator[tuple[str, str]]:
    for event in events:
        reason, message = str(event.get("reason", "")), str(event.get("message", ""))
        if event.get("type") == "Warning" and (reason in _FATAL or "forbidden" in message):
            about = mapping(event.get("involvedObject"))
            yield f"{about.get('kind')} {about.get('name')}", _one_line(_NAME_IN_POD.sub(r"\1", message))


def _created(who: str, why: str, present: set[str]) -> bool:
    """Return whether the pod of an old event has been created since."""
    if who.startswith("Job "):
        return "submitter" in present
    return "head" in present and "worker" not in why


def _one_line(text: object) -> str:
    return " ".join(str(text or "no reason is given").split())[:400]


def _fix(why: str, doctor: str) -> str | None:
    fix = next((fix for pattern, fix in _FIXES if re.search(pattern, why)), None)
    return None if fix is None else fix.replace("{doctor}", doctor)
