"""Somebody can work: there are pods for trials, which write the records where the sweep keeps them, and
cannot change what they learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from orchestrator.cluster.checks.pods import Pod, cluster_of
from orchestrator.cluster.documents import Document, KubeObject, items
from orchestrator.cluster.naming import DATA_DIR, STORAGE
from orchestrator.contracts import layout
from orchestrator.errors import Problem


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    for document in documents:
        ray_cluster = cluster_of(document)
        if ray_cluster is not None:
            yield from _workers(document, *ray_cluster)
    for pod in pods:
        if pod.role == "head" or pod.is_worker:
            yield from _places(pod)


def _workers(document: Document, cluster: KubeObject, key: str) -> Iterator[Problem]:
    groups, where = items(cluster.get("workerGroupSpecs")), f"{key}.workerGroupSpecs"
    field = "maxReplicas" if cluster.get("enableInTreeAutoscaling") else "replicas"
    if not groups:
        yield document.problem_at(where, "there is no group: no trial would ever run", "give one")
    elif all(group.get(field, 1) == 0 for group in groups):
        how = "" if field == "maxReplicas" else ", and without autoscaling nothing raises it"
        problem = f"{field} is 0 in every group{how}: no trial would ever run"
        yield document.problem_at(f"{where}.0.{field}", problem, "write 1 or more, or set autoscaling")


def _places(pod: Pod) -> Iterator[Problem]:
    container = (items(pod.spec.get("containers")) or [{}])[0]
    mounts = [m for m in items(container.get("volumeMounts")) if isinstance(m.get("mountPath"), str)]
    volumes = {volume.get("name"): volume for volume in items(pod.spec.get("volumes"))}
    key = "containers.0.volumeMounts"
    storage, data = pod.document.annotations.get(STORAGE), pod.document.annotations.get(DATA_DIR)
    if isinstance(storage, str) and storage.startswith("/"):
        mount = _holding(mounts, storage)
        if mount is None or "emptyDir" in volumes.get(mount.get("name"), {}):
            problem = f"{pod.role}: {storage}, where the records go, is on no shared volume"
            yield pod.problem_at(key, problem, "mount the claim frontier-storage above it")
        elif mount.get("readOnly"):
            problem = f"{pod.role}: {storage}, where the records go, is read-only"
            yield pod.problem_at(key, problem, "remove readOnly")
        elif pod.is_worker:
            yield from _weights(pod, key, mounts, mount, str(PurePosixPath(storage) / layout.CACHE))
    if isinstance(data, str):
        mount = _holding(mounts, data)
        if mount is None:
            problem = f"{pod.role}: {data}, which has the corpora, is not mounted"
            yield pod.problem_at(key, problem, "mount the claim frontier-data there, read-only")
        elif mount.get("readOnly") is not True:
            problem = f"{pod.role}: a trial could change the corpora in {data}"
            yield pod.problem_at(key, problem, "write readOnly: true")


def _weights(
    pod: Pod, key: str, mounts: Sequence[KubeObject], storage_mount: KubeObject, cache: str
) -> Iterator[Problem]:
    """`storage_mount` is the mount of the storage, writable. The head stages into it; the workers see the
    weights by a second mount of the same volume."""
    part = str(PurePosixPath(cache).relative_to(storage_mount["mountPath"]))
    fix = f"mount {storage_mount.get('name')!r} once more at {cache}, with subPath: {part} and readOnly: true"
    mount = _holding(mounts, cache)
    if mount is None or mount.get("readOnly") is not True:
        yield pod.problem_at(key, f"{pod.role}: a trial could change the weights in {cache}", fix)
    elif (mount.get("name"), mount.get("mountPath"), mount.get("subPath")) != (
        storage_mount.get("name"),
        cache,
        part,
    ):
        yield pod.problem_at(
            key, f"{pod.role}: the contents of {cache} are not what the head stages there", fix
        )


def _holding(mounts: Sequence[KubeObject], path: str) -> KubeObject | None:
    """Return the innermost mount that contains the path."""
    above = [m for m in mounts if PurePosixPath(path).is_relative_to(m["mountPath"])]
    return max(above, key=lambda mount: len(PurePosixPath(mount["mountPath"]).parts), default=None)
