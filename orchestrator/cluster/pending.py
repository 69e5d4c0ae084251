"""Why pods of a sweep are not there yet: from pods and events to words and remedies."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.cluster.documents import get, items, mapping

GROUP_LABEL, TYPE_LABEL = "ray.io/group", "ray.io/node-type"

_REMEDIES = (  # the first that matches
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
    (r"Insufficient (cpu|memory)", "no node has room: wait for one, or ask for less in the overlay"),
    (r"untolerated taint", "give the group a toleration of that taint, in the overlay"),
    (r"didn't match Pod's node affinity|node selector", "no node has the labels that the group asks for"),
    (r"ImagePull|ErrImage|InvalidImageName", "push the image, correct its name, or name an imagePullSecret"),
    (
        r"persistentvolumeclaim|unbound|FailedMount|FailedAttachVolume",
        "{doctor} checks the claims",
    ),
    (r"secret \"?\S+\"? not found|configmap \"?\S+\"? not found", "make it; {doctor} lists all"),
    (r"OOMKilled", "raise the memory of that pod in the overlay"),
)
_FATAL = {"FailedCreate", "FailedToCreateHeadPod", "FailedToCreateWorkerPod", "FailedCreatePod"}
_NAME_IN_POD = re.compile(r"(pods? )\"?[a-z0-9][-a-z0-9.]*\"?")


@dataclass(frozen=True)
class Trouble:
    """What some pods wait for. `pods`: how many, 0 for those that cannot even be made."""

    who: str  # "head", "worker a100", "submitter", or the object that cannot make its pods
    pods: int
    why: str
    fix: str | None = None

    def __str__(self) -> str:
        many = f"{self.pods} pods wait" if self.pods > 1 else "waits" if self.pods else "cannot make its pod"
        return f"{self.who} {many}: {self.why}" + (f" -> {self.fix}" if self.fix else "")


def role(pod: dict[str, Any]) -> str:
    labels = mapping(get(pod, "metadata", "labels"))
    kind = str(labels.get(TYPE_LABEL, ""))
    if kind == "worker":
        return f"worker {labels.get(GROUP_LABEL, '?')}"
    return kind or str(labels.get("frontier/role", "pod"))


def troubles(pods: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]], doctor: str) -> list[Trouble]:
    """Alike ones as one. `doctor`: the command that looks at their cluster. `events`: of the sweep's objects;
    those that tell of pods which were never made count as long as no pod of the sweep runs."""
    waiting: dict[tuple[str, str], int] = defaultdict(int)
    for pod in pods:
        why = _why(pod)
        if why is not None:
            waiting[role(pod), why] += 1
    found = [Trouble(who, count, why, _remedy(why, doctor)) for (who, why), count in waiting.items()]
    unmade = dict.fromkeys(_unmade(events))
    present = {role(pod) for pod in pods}
    never = [(who, why) for who, why in unmade if not _made(who, why, present)]
    return found + [Trouble(who, 0, why, _remedy(why, doctor)) for who, why in never]


def counts(pods: Sequence[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Role -> ready pods, all pods. Those that have ended, or go, are none."""
    found: dict[str, tuple[int, int]] = {}
    for pod in sorted((pod for pod in pods if not _over(pod)), key=role):
        ready, whole = found.get(role(pod), (0, 0))
        found[role(pod)] = (ready + _ready(pod), whole + 1)
    return found


def _ready(pod: dict[str, Any]) -> bool:
    conditions = items(get(pod, "status", "conditions"))
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _over(pod: dict[str, Any]) -> bool:
    ended = get(pod, "status", "phase") in ("Succeeded", "Failed")
    return ended or get(pod, "metadata", "deletionTimestamp") is not None


def _why(pod: dict[str, Any]) -> str | None:
    """What keeps this pod from running, or None."""
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


def _unmade(events: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for event in events:
        reason, message = str(event.get("reason", "")), str(event.get("message", ""))
        if event.get("type") == "Warning" and (reason in _FATAL or "forbidden" in message):
            about = mapping(event.get("involvedObject"))
            yield f"{about.get('kind')} {about.get('name')}", _one_line(_NAME_IN_POD.sub(r"\1", message))


def _made(who: str, why: str, present: set[str]) -> bool:
    """Whether the pod that an old event could not make has come after all."""
    if who.startswith("Job "):
        return "submitter" in present
    return "head" in present and "worker" not in why


def _one_line(text: Any) -> str:
    return " ".join(str(text or "no reason is given").split())[:400]


def _remedy(why: str, doctor: str) -> str | None:
    found = next((fix for pattern, fix in _REMEDIES if re.search(pattern, why)), None)
    return None if found is None else found.replace("{doctor}", doctor)
