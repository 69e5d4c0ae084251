"""What Kueue asks of a RayJob that it admits, and of the queues themselves.

By Kueue's page on RayJobs (kueue.sigs.k8s.io/docs/tasks/run/rayjobs): whole clusters of a fixed size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.documents import Document, KubeObject, get, items, mapping, of_kind
from orchestrator.cluster.naming import QUEUE, QUEUE_LABEL
from orchestrator.cluster.quantities import parse_quantity
from orchestrator.errors import Problem, did_you_mean

_MOST_GROUPS = 7


def check(documents: Sequence[Document]) -> Iterator[Problem]:
    yield from _queues(documents)
    for job in of_kind(documents, "RayJob"):
        label = mapping(job.metadata.get("labels")).get(QUEUE_LABEL)
        queue = label or job.annotations.get(QUEUE)
        if label and job.spec.get("suspend"):
            problem = "Kueue would start the suspended template"
            fix = f"use the annotation {QUEUE}: the renderer makes the label of it"
            yield job.problem_at(f"metadata.labels.{QUEUE_LABEL}", problem, fix)
        if queue:
            yield from _job(job, str(queue), documents)


def _job(job: Document, queue: str, documents: Sequence[Document]) -> Iterator[Problem]:
    spec = job.spec
    cluster, key = mapping(spec.get("rayClusterSpec")), "spec.rayClusterSpec"
    queues = [q.name for q in of_kind(documents, "LocalQueue") if q.namespace == job.namespace]
    if queues and queue not in queues:
        key_of_queue = f"metadata.annotations.{QUEUE}"
        yield job.problem_at(key_of_queue, f"there is no queue {queue!r}", did_you_mean(queue, queues))
    if spec.get("clusterSelector"):
        yield job.problem_at("spec.clusterSelector", "Kueue admits no selected clusters", "remove it")
    if not spec.get("shutdownAfterJobFinishes"):
        problem = "Kueue wants its quota back when the sweep ends"
        yield job.problem_at("spec.shutdownAfterJobFinishes", problem, "write true")
    if cluster.get("enableInTreeAutoscaling"):
        problem = "Kueue admits clusters of a fixed size only"
        yield job.problem_at(f"{key}.enableInTreeAutoscaling", problem, "write false")
    groups = items(cluster.get("workerGroupSpecs"))
    if len(groups) > _MOST_GROUPS:
        problem = f"{len(groups)} groups; Kueue takes {_MOST_GROUPS}"
        yield job.problem_at(f"{key}.workerGroupSpecs", problem, "put fewer kinds of pod into a sweep")
    for number, group in enumerate(groups):
        sizes = {group.get("replicas"), group.get("minReplicas"), group.get("maxReplicas")}
        if len(sizes) > 1:
            problem = "replicas, minReplicas and maxReplicas differ"
            yield job.problem_at(f"{key}.workerGroupSpecs.{number}", problem, "make them one number")
    yield from _quota(job, groups, queue, documents)


def _quota(
    job: Document, groups: Sequence[KubeObject], queue: str, documents: Sequence[Document]
) -> Iterator[Problem]:
    """A sweep that asks for more GPUs than the queue has waits for ever."""
    asked = sum(
        int(parse_quantity(get(container, "resources", "limits", "nvidia.com/gpu") or 0) or 0)
        * int(parse_quantity(group.get("replicas") or 0) or 0)
        for group in groups
        for container in items(get(group, "template", "spec", "containers"))[:1]
    )
    target = next(
        (q.spec.get("clusterQueue") for q in of_kind(documents, "LocalQueue") if q.name == queue), ""
    )
    for cluster_queue in of_kind(documents, "ClusterQueue"):
        if cluster_queue.name != target:
            continue
        most = sum(
            int(parse_quantity(resource.get("nominalQuota") or 0) or 0)
            for group in items(cluster_queue.spec.get("resourceGroups"))
            for flavour in items(group.get("flavors"))
            for resource in items(flavour.get("resources"))
            if resource.get("name") == "nvidia.com/gpu"
        )
        if asked > most:
            problem = f"asks for {asked} GPUs; queue {queue} has {most}: it would wait for ever"
            key = "spec.rayClusterSpec.workerGroupSpecs"
            yield job.problem_at(key, problem, "lower replicas, or raise nominalQuota")


def _queues(documents: Sequence[Document]) -> Iterator[Problem]:
    queues = [q.name for q in of_kind(documents, "ClusterQueue")]
    flavours = [f.name for f in of_kind(documents, "ResourceFlavor")]
    for local in of_kind(documents, "LocalQueue"):
        target = str(local.spec.get("clusterQueue"))
        if target not in queues:
            problem = f"there is no ClusterQueue {target!r}"
            yield local.problem_at("spec.clusterQueue", problem, did_you_mean(target, queues))
    for queue in of_kind(documents, "ClusterQueue"):
        for number, group in enumerate(items(queue.spec.get("resourceGroups"))):
            covered, key = group.get("coveredResources") or [], f"spec.resourceGroups.{number}"
            for index, flavour in enumerate(items(group.get("flavors"))):
                path, name = f"{key}.flavors.{index}", str(flavour.get("name"))
                if name not in flavours:
                    problem = f"there is no ResourceFlavor {name!r}"
                    yield queue.problem_at(f"{path}.name", problem, did_you_mean(name, flavours))
                listed = [resource.get("name") for resource in items(flavour.get("resources"))]
                if listed != list(covered):
                    problem = f"lists {listed}, and {list(covered)} are covered"
                    yield queue.problem_at(f"{path}.resources", problem, "list the same, in the same order")
