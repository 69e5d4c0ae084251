"""What a sweep needs beyond what KubeRay asks for: to end, to survive a lost head, to scale to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.capacity import groups
from orchestrator.cluster.checks.admission import GPU_QUOTA
from orchestrator.cluster.checks.pods import Pod, cluster_of
from orchestrator.cluster.documents import Document, KubeObject, get, items, mapping, of_kind
from orchestrator.cluster.quantities import parse_quantity
from orchestrator.errors import Problem

_LEAST_SUBMITTERS = 6
_LEAST_GRACE = 60  # seconds: Ray drains for 30 after SIGTERM


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    for job in of_kind(documents, "RayJob"):
        yield from _submission(job)
        ray_cluster = cluster_of(job)
        if ray_cluster is not None:
            yield from _cluster(job, *ray_cluster)
        yield from _quota(job, documents)
    for pod in pods:
        if pod.role == "head" or pod.is_worker:
            yield from _ray_pod(pod)
        if pod.role == "submitter" or pod.is_worker:
            yield from _no_api_token(pod)


def _submission(job: Document) -> Iterator[Problem]:
    spec = job.spec
    mode = spec.get("submissionMode", "K8sJobMode")
    if mode in ("HTTPMode", "InteractiveMode", "SidecarMode"):
        problem = f"{mode} loses a sweep with its head"
        yield job.problem_at("spec.submissionMode", problem, "use K8sJobMode with a submitterPodTemplate")
    if mode == "K8sJobMode" and get(spec, "submitterConfig", "backoffLimit") is None:
        fix = f"write {_LEAST_SUBMITTERS} or more"
        yield job.problem_at("spec.submitterConfig.backoffLimit", "is missing: KubeRay tries twice", fix)
    elif mode == "K8sJobMode" and spec["submitterConfig"]["backoffLimit"] < _LEAST_SUBMITTERS:
        got = spec["submitterConfig"]["backoffLimit"]
        problem = f"{got} submitters do not outlast a few lost heads"
        key = "spec.submitterConfig.backoffLimit"
        yield job.problem_at(key, problem, f"write {_LEAST_SUBMITTERS} or more")
    if not spec.get("shutdownAfterJobFinishes"):
        fix = "write true"
        yield job.problem_at("spec.shutdownAfterJobFinishes", "the pods would stay when the sweep ends", fix)
    if spec.get("preRunningDeadlineSeconds") is None:
        problem = "is missing: a job whose pods are refused waits for ever"
        yield job.problem_at("spec.preRunningDeadlineSeconds", problem, "write 1800, say")


def _cluster(job: Document, cluster: KubeObject, key: str) -> Iterator[Problem]:
    if get(cluster, "authOptions", "mode") != "token":
        problem = "anybody who reaches the head can run code on it"
        yield job.problem_at(f"{key}.authOptions.mode", problem, "write token")
    if str(get(cluster, "headGroupSpec", "rayStartParams", "num-cpus")) != "0":
        problem = "trials would land on the driver's node"
        yield job.problem_at(f"{key}.headGroupSpec.rayStartParams.num-cpus", problem, 'write "0"')
    if cluster.get("gcsFaultToleranceOptions") is not None:
        problem = "the driver ends with the head in any case, and is restored from its records"
        yield job.problem_at(f"{key}.gcsFaultToleranceOptions", problem, "remove it")
    if not cluster.get("enableInTreeAutoscaling"):
        return
    version = get(cluster, "autoscalerOptions", "version")
    if version != "v2":
        problem = f"{version!r}: only v2 drains a pod before it deletes it"
        yield job.problem_at(f"{key}.autoscalerOptions.version", problem, "write v2")
    for number, group in enumerate(items(cluster.get("workerGroupSpecs"))):
        least = group.get("minReplicas")
        if least:
            problem = f"{least} pods are paid for while nothing runs"
            yield job.problem_at(f"{key}.workerGroupSpecs.{number}.minReplicas", problem, "write 0")


def _quota(job: Document, documents: Sequence[Document]) -> Iterator[Problem]:
    """Pods beyond the quota are refused, and asked for again and again."""
    most = sum(group.pods * group.gpus for group in groups(mapping(job.spec.get("rayClusterSpec"))))
    for quota in of_kind(documents, "ResourceQuota"):
        hard = parse_quantity(get(quota.spec, "hard", GPU_QUOTA))
        if hard is not None and most > hard:
            problem = f"{hard} GPUs, and the groups of {job.kind}/{job.name} may hold {most}"
            yield quota.problem_at(f"spec.hard.{GPU_QUOTA}", problem, "raise it, or lower maxReplicas")


def _ray_pod(pod: Pod) -> Iterator[Problem]:
    grace = pod.spec.get("terminationGracePeriodSeconds", 30)
    if isinstance(grace, int) and grace < _LEAST_GRACE:
        problem = f"{grace} s: the kill would race Ray's drain"
        yield pod.problem_at("terminationGracePeriodSeconds", problem, f"write {_LEAST_GRACE} or more")
    volumes = {volume.get("name"): volume for volume in items(pod.spec.get("volumes"))}
    for container in items(pod.spec.get("containers"))[:1]:
        mounts = {m.get("mountPath"): m.get("name") for m in items(container.get("volumeMounts"))}
        volume = mapping(volumes.get(mounts.get("/dev/shm")))  # noqa: S108, a path in a pod
        if get(volume, "emptyDir", "medium") != "Memory":
            problem = "/dev/shm would be 64 MB: too little for NCCL and for Ray's objects"  # noqa: S108, a path in a pod
            fix = "mount an emptyDir of medium Memory there"
            yield pod.problem_at("containers.0.volumeMounts", problem, fix)


def _no_api_token(pod: Pod) -> Iterator[Problem]:
    if pod.spec and pod.spec.get("automountServiceAccountToken") is not False:
        problem = "the pod would hold a token of the API server, which it does not need"
        yield pod.problem_at("automountServiceAccountToken", problem, "write false")
