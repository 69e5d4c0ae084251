"""What the cluster does for pods that do not run yet: it adds nodes and pulls images."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.cluster.documents import KubeObject, get
from orchestrator.cluster.pending import role

_PULLED = re.compile(r"in (?P<time>[\d.hmus]+).*?Image size: (?P<bytes>\d+) bytes", re.DOTALL)
_IMAGE = re.compile(r'image "(?P<image>[^"]+)"')
_NODE = {  # by reason: of the cluster's autoscaler, and of Karpenter
    "TriggeredScaleUp": "waits for a node, which the cluster adds",
    "Nominated": "waits for a node, which the cluster adds",
    "NotTriggerScaleUp": "waits for a node, and the cluster adds none",
}
_FRACTION = re.compile(r"(\d)\.\d+s$")


def doings(pods: Sequence[KubeObject], events: Sequence[KubeObject]) -> list[str]:
    """A line for each thing that is done for some of these pods, in the order of the events."""
    roles = {str(get(pod, "metadata", "name")): role(pod) for pod in pods}
    lines: dict[str, None] = {}
    for event in events:
        pod_role = roles.get(str(get(event, "involvedObject", "name")))
        if pod_role is not None and get(event, "involvedObject", "kind") == "Pod":
            line = _words(str(event.get("reason", "")), " ".join(str(event.get("message", "")).split()))
            lines |= {f"{pod_role} {line}": None} if line else {}
    return list(lines)


def _words(reason: str, message: str) -> str | None:
    image = _IMAGE.search(message)
    if reason in _NODE:
        return f"{_NODE[reason]}: {message[:200]}"
    if image is None:
        return None
    if reason == "Pulling":
        return f"pulls image {image['image']}"
    pulled = _PULLED.search(message) if reason == "Pulled" else None
    if pulled is None:
        return None
    size, seconds = int(pulled["bytes"]) / 1e9, _FRACTION.sub(r"\1s", pulled["time"])
    return f"has pulled image {image['image']}: {size:.1f} GB in {seconds}"
