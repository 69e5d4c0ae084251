"""What is started is what is meant: the submitter is ours and submits the job's own entrypoint, whose file is
mounted, and a template starts nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from orchestrator.cluster.documents import Document, KubeObject, get, items, mapping, of_kind
from orchestrator.cluster.naming import SWEEP_NAME
from orchestrator.errors import Problem

SUBMITTER = ["python", "-m", "orchestrator.cluster.submitter"]
_CONTAINER = "spec.submitterPodTemplate.spec.containers.0"


def check(documents: Sequence[Document]) -> Iterator[Problem]:
    for job in of_kind(documents, "RayJob"):
        if SWEEP_NAME not in job.annotations and job.spec.get("suspend") is not True:
            problem = "is not true in a template: applying the overlay would start it"
            yield job.problem_at("spec.suspend", problem, "write true; `frontier render` lifts it")
        if job.spec.get("submissionMode", "K8sJobMode") == "K8sJobMode":
            for container in items(get(job.spec, "submitterPodTemplate", "spec", "containers"))[:1]:
                yield from _submitter(job, container)
        yield from _file(job)


def _submitter(job: Document, container: KubeObject) -> Iterator[Problem]:
    command, args, entrypoint = (container.get("command"), container.get("args"), job.spec.get("entrypoint"))
    if not command:
        problem = "KubeRay's own submitter ends when its log stream breaks"
        yield job.problem_at(f"{_CONTAINER}.command", problem, f"write [{', '.join(SUBMITTER)}]")
    elif command != SUBMITTER:
        problem = f"{command} is not the submitter of this image: the sweep would never be submitted"
        yield job.problem_at(f"{_CONTAINER}.command", problem, f"write [{', '.join(SUBMITTER)}]")
    elif args != ["--", entrypoint]:
        problem = f"{args}: what is submitted is not the job's entrypoint, {entrypoint!r}"
        yield job.problem_at(f"{_CONTAINER}.args", problem, "write [--, the entrypoint as one text]")


def _file(job: Document) -> Iterator[Problem]:
    """Check that the entrypoint is `frontier run` with a sweep file that exists on the head."""
    try:
        arguments = shlex.split(str(job.spec.get("entrypoint") or ""))
    except ValueError:
        arguments = []
    if arguments[:2] != ["frontier", "run"] or len(arguments) < 3:
        problem = f"{job.spec.get('entrypoint')!r} runs no sweep"
        yield job.problem_at("spec.entrypoint", problem, "write frontier run /etc/frontier/sweep.yaml …")
        return
    file = PurePosixPath(arguments[2])
    pod = mapping(get(job.spec, "rayClusterSpec", "headGroupSpec", "template", "spec"))
    mounts = [m for c in items(pod.get("containers"))[:1] for m in items(c.get("volumeMounts"))]
    mount = next((m for m in mounts if str(m.get("mountPath")) == str(file.parent)), None)
    if mount is None:
        problem = f"nothing is mounted at {file.parent} of the head, where the driver is to read {file.name}"
        yield job.problem_at("spec.entrypoint", problem, "mount the volume `sweep` there")
