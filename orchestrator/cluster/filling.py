"""What a sweep sets below the lists of its template, which no overlay of mappings reaches: labels, its own
ConfigMap and the submitter's words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.cluster.documents import Document, get, items, mapping
from orchestrator.cluster.manifests import ConfigMapSource, laid_over
from orchestrator.errors import Complaint, ConfigError

MOUNT = PurePosixPath("/etc/frontier")  # of the sweep's ConfigMap, in the head
_VOLUME = "sweep"
_HEAD = "spec.rayClusterSpec.headGroupSpec.template.spec"
_SUBMITTER = "spec.submitterPodTemplate.spec.containers"


def fill_in(job: Document, entrypoint: str, source: ConfigMapSource, labels: dict[str, str]) -> None:
    """Changes `job`. Raises ConfigError where the template lacks a place for them: the driver would read the
    template's placeholder, or nobody submit it."""
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


def _missing(job: Document) -> Iterator[Complaint]:
    head = get(job.spec, "rayClusterSpec", "headGroupSpec", "template", "spec")
    volumes = items(get(head, "volumes"))
    if not any(volume.get("name") == _VOLUME and "configMap" in volume for volume in volumes):
        problem = f"no ConfigMap is called {_VOLUME!r}: the driver would read the template's placeholder"
        yield job.complaint(f"{_HEAD}.volumes", problem, f"name the volume of its ConfigMap {_VOLUME}")
    mounts = [m for c in items(get(head, "containers"))[:1] for m in items(c.get("volumeMounts"))]
    if not any((m.get("name"), m.get("mountPath")) == (_VOLUME, str(MOUNT)) for m in mounts):
        problem = f"the volume {_VOLUME!r} is not mounted at {MOUNT}, where the driver reads the sweep"
        yield job.complaint(f"{_HEAD}.containers.0.volumeMounts", problem, "mount it there, read-only")
    if not items(get(job.spec, "submitterPodTemplate", "spec", "containers")):
        problem = "there is no container that would submit the sweep"
        yield job.complaint(_SUBMITTER, problem, "keep the one of k8s/base/rayjob.yaml")
