"""The Job whose pod serves the records of a sweep. It mounts the storage, read-only, and nothing else."""

from __future__ import annotations

import secrets
from pathlib import PurePosixPath

from orchestrator.cluster.documents import KubeObject, get, items, mapping
from orchestrator.errors import LaunchError

FETCHES = "frontier/fetches"  # label: the id of the sweep
_MOST_SECONDS = 1800
_KEPT_SECONDS = 60  # after its end; Kubernetes deletes it then
_FROM_HEAD = ("imagePullSecrets", "nodeSelector", "tolerations", "runtimeClassName", "securityContext")


def fetch_job(ray_job: KubeObject, storage: str, sweep: str) -> KubeObject:
    """`ray_job`: of the sweep, whose head's image, volume and place it takes. Raises LaunchError where the
    head mounts no volume that holds `storage`."""
    head = mapping(get(ray_job, "spec", "rayClusterSpec", "headGroupSpec", "template", "spec"))
    [container] = items(head.get("containers"))[:1]
    mount = _holding(items(container.get("volumeMounts")), storage)
    volume = next((v for v in items(head.get("volumes")) if mount and v.get("name") == mount["name"]), None)
    name = str(get(ray_job, "metadata", "name"))
    if mount is None or volume is None:
        raise LaunchError(
            f"the head of {name} mounts no volume at {storage}\n"
            "    -> copy the records from where its pods keep them"
        )
    served = {
        "name": "records",
        "image": container["image"],
        "command": ["python", "-m", "orchestrator.cluster.record_server", str(PurePosixPath(storage, sweep))],
        "resources": {
            "requests": {"cpu": "100m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": mount["name"], "mountPath": mount["mountPath"], "readOnly": True}],
    }
    if "imagePullPolicy" in container:
        served["imagePullPolicy"] = container["imagePullPolicy"]
    pod = {key: head[key] for key in _FROM_HEAD if key in head} | {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [served],
        "volumes": [_read_only(volume)],
    }
    labels = {FETCHES: name, "frontier/role": "records"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"frontier-fetch-{secrets.token_hex(4)}",
            "namespace": get(ray_job, "metadata", "namespace"),
            "labels": labels,
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": _MOST_SECONDS,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _holding(mounts: list[KubeObject], storage: str) -> KubeObject | None:
    """The deepest mount that `storage` is in."""
    candidates = [
        mount
        for mount in mounts
        if not mount.get("subPath") and PurePosixPath(storage).is_relative_to(str(mount.get("mountPath")))
    ]
    return max(candidates, key=lambda mount: len(str(mount["mountPath"])), default=None)


def _read_only(volume: KubeObject) -> KubeObject:
    claim = volume.get("persistentVolumeClaim")
    return volume if claim is None else volume | {"persistentVolumeClaim": claim | {"readOnly": True}}
