"""Pods that serve others: those that can be asked, and those that are still to come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.cluster.client import Cluster
from orchestrator.cluster.documents import KubeObject, get, items
from orchestrator.cluster.resources import PODS

PATIENCE_SECONDS = 30.0  # for a pod that starts, or a server that does not answer
LOOK_SECONDS = 2.0
_SILENCE_SECONDS = 10.0  # at most, without a line


@dataclass(frozen=True)
class Servers:
    """Names of pods; those that end are neither."""

    ready: tuple[str, ...] = ()
    starting: tuple[str, ...] = ()


def is_ready(pod: KubeObject | None) -> bool:
    """Return whether a pod runs and, if it is probed, is ready."""
    conditions = items(get(pod, "status", "conditions"))
    states = [c.get("status") for c in conditions if c.get("type") == "Ready"]
    return get(pod, "status", "phase") == "Running" and not _over(pod) and states in ([], ["True"])


def await_servers(
    cluster: Cluster, selectors: Sequence[str], say: Callable[[str], None]
) -> dict[str, Servers]:
    """Return the pods by selector, once all are ready or the patience is over, and report what is waited for.
    A server without a node is not waited for. Raises LaunchError if they may not be listed."""
    wait = Patience(say)
    while True:
        pods_by_selector = {selector: cluster.every(PODS, labels=selector) for selector in selectors}
        pods = [pod for some in pods_by_selector.values() for pod in some]
        coming = [_name(pod) for pod in pods if _starts(pod) and not _lacks_node(pod)]
        if not coming or not wait.goes_on(f"pod {', '.join(coming)} to be ready, so that it can be checked"):
            return {selector: _sorted(some) for selector, some in pods_by_selector.items()}


class Patience:
    """For looks again and again, until `PATIENCE_SECONDS` have passed since the first one that waited."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began: float | None = None
        self._said_at = 0.0

    def goes_on(self, what: str) -> bool:
        """Say what is waited for, and pause. False where the time is over."""
        now = time.monotonic()
        first = self._began is None
        began = self._began = now if self._began is None else self._began
        if now - began >= PATIENCE_SECONDS:
            return False
        if first or now - self._said_at >= _SILENCE_SECONDS:
            self._said_at = now
            self._say(f"waits for {what}: {now - began:.0f} of at most {PATIENCE_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)
        return True


def _sorted(pods: Sequence[KubeObject]) -> Servers:
    ready = tuple(_name(pod) for pod in pods if is_ready(pod))
    return Servers(ready, tuple(_name(pod) for pod in pods if _starts(pod)))


def _starts(pod: KubeObject) -> bool:
    return not is_ready(pod) and not _over(pod)


def _over(pod: KubeObject | None) -> bool:
    ended = get(pod, "status", "phase") in ("Succeeded", "Failed")
    return ended or get(pod, "metadata", "deletionTimestamp") is not None


def _lacks_node(pod: KubeObject) -> bool:
    conditions = items(get(pod, "status", "conditions"))
    return any(c.get("type") == "PodScheduled" and c.get("status") == "False" for c in conditions)


def _name(pod: KubeObject) -> str:
    return str(get(pod, "metadata", "name"))
