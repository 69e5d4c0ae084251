"""The RayJob whose head writes the records of a sweep to the cluster's MLflow: that of the sweep, without
workers. Policies, accounts, secrets and quotas of a sweep's head hold for it as they are."""

from __future__ import annotations

import copy
import shlex
from pathlib import PurePosixPath

from orchestrator.cluster.documents import KubeObject, get, items, mapping
from orchestrator.cluster.manifests import laid_over
from orchestrator.cluster.naming import LONGEST_JOB_NAME, SWEEP_LABEL, SWEEP_NAME
from orchestrator.cluster.ray_job import RayJob
from orchestrator.cluster.sweep_files import job_to_apply

_SUFFIX = "-sync"
_MOST_SECONDS = 3600
_KEPT_SECONDS = 60  # its pods, after its end


def sync_job(sweep: RayJob, storage: str) -> KubeObject:
    """`storage`: as the pods see it, a path or a URI. The job bears no sweep's label, so that it is taken for
    none; its pods bear its own name."""
    body = copy.deepcopy(job_to_apply(sweep))
    slug, _, digest = sweep.name.rpartition("-")
    slug = slug[: LONGEST_JOB_NAME - len(_SUFFIX) - len(digest) - 1].rstrip("-")
    name = f"{slug}-{digest}{_SUFFIX}"
    records = (
        f"{storage.rstrip('/')}/{sweep.sweep_name}"
        if "://" in storage
        else str(PurePosixPath(storage, sweep.sweep_name))
    )
    entrypoint = f"frontier sync {shlex.quote(records)}"
    metadata, spec = body["metadata"], body["spec"]
    metadata["name"] = name
    metadata["labels"] = {k: v for k, v in metadata["labels"].items() if k != SWEEP_LABEL}
    metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if k != SWEEP_NAME}
    spec.pop("jobId", None)
    spec |= {
        "entrypoint": entrypoint,
        "backoffLimit": 0,
        "activeDeadlineSeconds": _MOST_SECONDS,
        "ttlSecondsAfterFinished": _KEPT_SECONDS,
    }
    cluster = mapping(spec.get("rayClusterSpec"))
    cluster["workerGroupSpecs"] = []
    submitter = mapping(spec.get("submitterPodTemplate"))
    for pod in (mapping(get(cluster, "headGroupSpec", "template")), submitter):
        pod["metadata"] = laid_over(mapping(pod.get("metadata")), {"labels": {SWEEP_LABEL: name}})
    items(get(submitter, "spec", "containers"))[0]["args"] = ["--", entrypoint]
    return body
