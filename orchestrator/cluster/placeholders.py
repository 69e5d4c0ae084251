"""What a sweep sets below the lists of its template, which no overlay of mappings reaches: labels, its own
ConfigMap, the submitter's words, and where workers see the weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.cluster.documents import Document, KubeObject, get, items, mapping
from orchestrator.cluster.manifests import ConfigMapSource, laid_over
from orchestrator.contracts import layout
from orchestrator.errors import ConfigError, Problem

MOUNT = PurePosixPath("/etc/frontier")  # of the sweep's ConfigMap, in the head
_VOLUME = "sweep"
_HEAD = "spec.rayClusterSpec.headGroupSpec.template.spec"
_SUBMITTER = "spec.submitterPodTemplate.spec.containers"


def fill_in(job: Document, entrypoint: str, source: ConfigMapSource, labels: dict[str, str]) -> None:
    """Fill in `job`. Raises ConfigError if the template lacks a placeholder for them: the driver would read
    the template's own, or the job would have no submitter."""
    missing = list(_missing(job))
    if missing:
        raise ConfigError(missing)
    cluster = mapping(job.spec.get("rayClusterSpec"))
    head, submitter = mapping(cluster.get("headGroupSpec")), mapping(job.spec.get("submitterPodTemplate"))
    pods = [mapping(head.get("template")), submitter]
    pods += [mapping(group.get("template")) for group in items(cluster.get("workerGroupSpecs"))]
    for pod in pods:
        pod["metadata"] = laid_over(mapping(pod.get("metadata")), {"labels": labels})
    for volume in items(get(head, "template", "spec", "volumes")):
        if volume.get("name") == _VOLUME:
            volume["configMap"] = source.model_dump(mode="json")
    items(get(submitter, "spec", "containers"))[0]["args"] = ["--", entrypoint]


def _missing(job: Document) -> Iterator[Problem]:
    head = get(job.spec, "rayClusterSpec", "headGroupSpec", "template", "spec")
    volumes = items(get(head, "volumes"))
    if not any(volume.get("name") == _VOLUME and "configMap" in volume for volume in volumes):
        problem = f"no ConfigMap is called {_VOLUME!r}: the driver would read the template's placeholder"
        yield job.problem_at(f"{_HEAD}.volumes", problem, f"name the volume of its ConfigMap {_VOLUME}")
    mounts = [m for c in items(get(head, "containers"))[:1] for m in items(c.get("volumeMounts"))]
    if not any((m.get("name"), m.get("mountPath")) == (_VOLUME, str(MOUNT)) for m in mounts):
        problem = f"the volume {_VOLUME!r} is not mounted at {MOUNT}, where the driver reads the sweep"
        yield job.problem_at(f"{_HEAD}.containers.0.volumeMounts", problem, "mount it there, read-only")
    if not items(get(job.spec, "submitterPodTemplate", "spec", "containers")):
        problem = "there is no container that would submit the sweep"
        yield job.problem_at(_SUBMITTER, problem, "keep the one of k8s/base/rayjob.yaml")


def move_cache(job: Document, before: str, after: str) -> None:
    """Changes `job`: where the workers see the weights of the storage `before`, read-only, they see those of
    `after`. What is in an object store each machine fetches for itself."""
    if not after.startswith("/"):
        return
    for group in items(get(job.spec, "rayClusterSpec", "workerGroupSpecs")):
        for container in items(get(group, "template", "spec", "containers"))[:1]:
            mounts = items(container.get("volumeMounts"))
            for mount in mounts:
                if mount.get("subPath") and mount.get("mountPath") == _cache(before):
                    _show(mount, mounts, _cache(after))


def _cache(storage: str) -> str:
    return str(PurePosixPath(storage) / layout.CACHE)


def _show(mount: KubeObject, mounts: list[KubeObject], path: str) -> None:
    """Mount the part of the volume that its own mount has at `path`."""
    for whole in mounts:
        if whole.get("name") == mount["name"] and not whole.get("subPath"):
            root = str(whole.get("mountPath"))
            if PurePosixPath(path).is_relative_to(root):
                mount["mountPath"], mount["subPath"] = path, str(PurePosixPath(path).relative_to(root))
