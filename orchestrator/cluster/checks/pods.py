"""The pods that will run: those of plain workloads, and those that KubeRay will make of a RayJob or
RayCluster, with the containers that it adds on its own.

Facts about KubeRay 1.7 (github.com/ray-project/kuberay, Apache-2.0), confirmed on a cluster: the init
container `wait-gcs-ready` takes the security context of the worker, the autoscaler that of
`autoscalerOptions`; a submitter without a template, and any in SidecarMode, gets none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.cluster.documents import Document, KubeObject, get, items, mapping
from orchestrator.errors import Problem

IS_RAY_NODE, NODE_TYPE = "ray.io/is-ray-node", "ray.io/node-type"


@dataclass(frozen=True)
class Container:
    key: str  # dotted path of what it is made from
    body: KubeObject
    name: str
    made_by_kuberay: bool = False


@dataclass(frozen=True)
class Pod:
    document: Document
    role: str  # "head", "worker l4", "submitter", else the name of the workload
    key: str  # dotted path of its spec
    spec: KubeObject
    labels: dict[str, str]
    containers: tuple[Container, ...]

    @property
    def namespace(self) -> str:
        return self.document.namespace

    @property
    def is_worker(self) -> bool:
        return self.role.startswith("worker ")

    def problem_at(self, key: str, problem: str, fix: str) -> Problem:
        """`key`: below the pod's spec, or an absolute one that starts with `spec.`."""
        full_key = key if key.startswith("spec.") else f"{self.key}.{key}" if key else self.key
        return self.document.problem_at(full_key, problem, fix)


def cluster_of(document: Document) -> tuple[KubeObject, str] | None:
    """Return the Ray cluster in a document, and its dotted path."""
    if document.kind == "RayCluster":
        return document.spec, "spec"
    if document.kind == "RayJob" and isinstance(document.spec.get("rayClusterSpec"), dict):
        return document.spec["rayClusterSpec"], "spec.rayClusterSpec"
    return None


def created_pods(documents: Sequence[Document]) -> list[Pod]:
    return [pod for document in documents for pod in _pods_of(document)]


def _pods_of(document: Document) -> Iterator[Pod]:
    ray_cluster = cluster_of(document)
    if ray_cluster is not None:
        yield from _ray_pods(document, *ray_cluster)
    if document.kind == "RayJob":
        yield from _submitter(document)
    elif document.kind in ("Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"):
        yield _pod(document, document.name, "spec.template", mapping(document.spec.get("template")))
    elif document.kind == "CronJob":
        template = mapping(get(document.spec, "jobTemplate", "spec", "template"))
        yield _pod(document, document.name, "spec.jobTemplate.spec.template", template)
    elif document.kind == "Pod":
        body = {"metadata": document.metadata, "spec": document.spec}
        yield _pod(document, document.name, "", body)


def _pod(
    document: Document,
    role: str,
    key: str,
    template: KubeObject,
    labels: dict[str, str] | None = None,
    added: Sequence[Container] = (),
) -> Pod:
    spec, path = mapping(template.get("spec")), f"{key}.spec" if key else "spec"
    own = [
        Container(f"{path}.{field}.{number}", body, str(body.get("name", number)))
        for field in ("initContainers", "containers")
        for number, body in enumerate(items(spec.get(field)))
    ]
    pod_labels = mapping(get(template, "metadata", "labels"))
    return Pod(document, role, path, spec, pod_labels | (labels or {}), (*own, *added))


def _ray_pods(document: Document, cluster: KubeObject, key: str) -> Iterator[Pod]:
    head = mapping(cluster.get("headGroupSpec"))
    added = []
    if cluster.get("enableInTreeAutoscaling"):
        options = mapping(cluster.get("autoscalerOptions"))
        body = {"securityContext": options.get("securityContext"), "resources": options.get("resources")}
        added.append(Container(f"{key}.autoscalerOptions", body, "autoscaler", True))
    if document.spec.get("submissionMode") == "SidecarMode":
        added.append(Container("spec.submissionMode", {}, "ray-job-submitter", True))
    yield _pod(
        document,
        "head",
        f"{key}.headGroupSpec.template",
        mapping(head.get("template")),
        {IS_RAY_NODE: "yes", NODE_TYPE: "head"},
        added,
    )
    for number, group in enumerate(items(cluster.get("workerGroupSpecs"))):
        path = f"{key}.workerGroupSpecs.{number}.template"
        template = mapping(group.get("template"))
        first = (items(get(template, "spec", "containers")) or [{}])[0]
        body = {"securityContext": first.get("securityContext")}
        init = Container(f"{path}.spec.containers.0", body, "wait-gcs-ready", True)
        labels = {IS_RAY_NODE: "yes", NODE_TYPE: "worker"}
        yield _pod(document, f"worker {group.get('groupName')}", path, template, labels, [init])


def _submitter(document: Document) -> Iterator[Pod]:
    if document.spec.get("submissionMode") in ("HTTPMode", "InteractiveMode", "SidecarMode"):
        return
    template = document.spec.get("submitterPodTemplate")
    if isinstance(template, dict):
        yield _pod(document, "submitter", "spec.submitterPodTemplate", template)
    else:
        bare = Container("spec.submitterPodTemplate", {}, "ray-job-submitter", True)
        yield _pod(document, "submitter", "spec.submitterPodTemplate", {}, None, [bare])
