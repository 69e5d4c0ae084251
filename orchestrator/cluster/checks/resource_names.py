"""Requests and limits: names that exist, amounts that are amounts, limits equal to requests where Ray reads
them.

Kubernetes takes any name in a RayJob and refuses the pod later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from orchestrator.cluster.checks.pods import Container, Pod
from orchestrator.cluster.documents import get, items, mapping
from orchestrator.cluster.quantities import parse_quantity
from orchestrator.errors import Problem, did_you_mean

_PLAIN = ("cpu", "memory", "ephemeral-storage")
_VENDORS = {
    "nvidia.com": ("nvidia.com/gpu", "nvidia.com/gpu.shared"),
    "amd.com": ("amd.com/gpu",),
    "google.com": ("google.com/tpu",),
}


def check(pods: Sequence[Pod]) -> Iterator[Problem]:
    for pod in pods:
        for container in pod.containers:
            for part in ("requests", "limits"):
                yield from _names(pod, container, part)
        if pod.role == "head" or pod.is_worker:
            yield from _ray_container(pod)


def _names(pod: Pod, container: Container, part: str) -> Iterator[Problem]:
    for name, amount in mapping(get(container.body, "resources", part)).items():
        key = f"{container.key}.resources.{part}.{name}"
        vendor = str(name).split("/")[0]
        names = _VENDORS.get(vendor, ()) if "/" in str(name) else _PLAIN
        fits = "/" in str(name) and (vendor not in _VENDORS or str(name).startswith("nvidia.com/mig-"))
        if name not in names and not fits and not str(name).startswith("hugepages-"):
            yield pod.problem_at(key, f"there is no resource {name!r}", did_you_mean(str(name), names))
        number = parse_quantity(amount)
        if number is None or number < 0:
            yield pod.problem_at(key, f"{amount!r} is no amount", "write 2, 500m or 24Gi, say")
        elif "/" in str(name) and number != int(number):
            yield pod.problem_at(key, f"{amount!r}: devices come whole", "write a whole number")


def _ray_container(pod: Pod) -> Iterator[Problem]:
    """Ray sizes a node by the limits of its first container."""
    for body in items(pod.spec.get("containers"))[:1]:
        requests = mapping(get(body, "resources", "requests"))
        limits = mapping(get(body, "resources", "limits"))
        for name in dict.fromkeys(["cpu", "memory", *requests, *limits]):
            asked, most = parse_quantity(requests.get(name, "")), parse_quantity(limits.get(name, ""))
            if asked is None and most is None:
                problem = f"no {name} is asked for: Ray cannot know what the node has"
                yield pod.problem_at(
                    f"containers.0.resources.limits.{name}", problem, "give request and limit"
                )
            elif asked != most:
                problem = f"{name}: the request is {requests.get(name)}, the limit {limits.get(name)}"
                yield pod.problem_at(f"containers.0.resources.{name}", problem, "make them equal")
        yield from _shared_memory(pod, parse_quantity(limits.get("memory", "")))


def _shared_memory(pod: Pod, memory: Decimal | None) -> Iterator[Problem]:
    for number, volume in enumerate(items(pod.spec.get("volumes"))):
        if get(volume, "emptyDir", "medium") != "Memory" or memory is None:
            continue
        size = parse_quantity(get(volume, "emptyDir", "sizeLimit") or "")
        if size is None or size >= memory:
            key = f"volumes.{number}.emptyDir.sizeLimit"
            problem = "memory that is mounted counts as the pod's own, and this may be all of it"
            yield pod.problem_at(key, problem, "give a size well below the memory limit")
