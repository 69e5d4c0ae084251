"""The files of sweeps in a cluster: the ConfigMap of each, and the RayJob that it keeps while there is none.

Before a RayJob is deleted, its ConfigMap is taken out of its ownership and given the RayJob to keep, so that
whatever happens next, the sweep can continue from what is in the cluster and from its records in storage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from orchestrator.cluster.api_errors import RefusalError
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.documents import KubeObject, get, items, mapping
from orchestrator.cluster.naming import SWEEP_LABEL
from orchestrator.cluster.ray_job import RECREATIONS, STOPPED, RayJob
from orchestrator.cluster.render import FILE
from orchestrator.cluster.resources import CONFIG_MAPS, RAY_JOBS
from orchestrator.config.yaml_sources import parse_yaml
from orchestrator.errors import ConfigError

_KEPT_JOB = "frontier/ray-job"  # annotation of a ConfigMap whose RayJob is gone
_NOT_KEPT = ("kubectl.kubernetes.io/", RECREATIONS, STOPPED)  # annotations


@dataclass(frozen=True)
class SweepFiles:
    cluster: Cluster

    def of(self, job: RayJob) -> KubeObject | None:
        return None if job.config_map is None else self.cluster.get(CONFIG_MAPS, job.config_map)

    def every(self, name: str) -> list[KubeObject]:
        """Return the ConfigMaps of a sweep, newest first."""
        config_maps = self.cluster.every(CONFIG_MAPS, labels=f"{SWEEP_LABEL}={name}")
        return sorted(
            config_maps, key=lambda body: str(get(body, "metadata", "creationTimestamp")), reverse=True
        )

    def stopped(self, name: str) -> bool:
        """Return whether a user stopped the sweep, by its ConfigMap."""
        return any(STOPPED in _annotations(config_map) for config_map in self.every(name))

    def kept(self, name: str) -> tuple[KubeObject, KubeObject] | None:
        """ConfigMap and RayJob of a sweep whose RayJob is gone, as they are to be applied."""
        for config_map in self.every(name):
            kept = _annotations(config_map).get(_KEPT_JOB)
            if kept is not None:
                return config_map_to_apply(config_map), json.loads(kept)
        return None

    def kept_jobs(self) -> Iterator[KubeObject]:
        """RayJobs that are kept, of any sweep."""
        for config_map in self.cluster.every(CONFIG_MAPS, labels=SWEEP_LABEL):
            job = _annotations(config_map).get(_KEPT_JOB)
            if job is not None:
                yield json.loads(job)

    def adopt(self, config_map: KubeObject, job: RayJob) -> None:
        """Hand the files over to a running RayJob whose submitter did not get to it. A ConfigMap that is
        owned already is left unchanged, and so is one that is kept for a later RayJob: this one is just being
        stopped."""
        live = self.cluster.get(CONFIG_MAPS, str(config_map["metadata"]["name"]))
        if live is None or not (_KEPT_JOB in _annotations(live) or get(live, "metadata", "ownerReferences")):
            self._own(config_map, job, {})

    def hand_over(self, config_map: KubeObject, job: RayJob) -> None:
        """Hand the files over to a RayJob that was just created: nothing is kept for it or stopped any
        more."""
        self._own(config_map, job, {STOPPED: None, _KEPT_JOB: None})

    def _own(self, config_map: KubeObject, job: RayJob, annotations: dict[str, None]) -> None:
        """Make the RayJob own the ConfigMap; apply it again if a clean-up has just deleted it."""
        name = str(config_map["metadata"]["name"])
        owner = {
            "apiVersion": "ray.io/v1",
            "kind": "RayJob",
            "name": job.name,
            "uid": job.uid,
            "controller": False,
            "blockOwnerDeletion": False,
        }
        metadata = {"ownerReferences": [owner], "annotations": annotations}
        try:
            self.cluster.patch(CONFIG_MAPS, name, {"metadata": metadata})
        except RefusalError as refused:
            if not refused.absent:
                raise
            self.cluster.apply(config_map)
            self.cluster.patch(CONFIG_MAPS, name, {"metadata": metadata})

    def keep(self, job: RayJob, annotations: dict[str, str]) -> bool:
        """False where the ConfigMap belongs to a younger RayJob, or is being changed by somebody else."""
        config_map = self.of(job)
        if config_map is None:
            return True
        owners = items(get(config_map, "metadata", "ownerReferences"))
        if any(owner.get("kind") == "RayJob" and owner.get("uid") != job.uid for owner in owners):
            return False
        metadata = {
            "resourceVersion": get(config_map, "metadata", "resourceVersion"),
            "ownerReferences": None,
            "annotations": {_KEPT_JOB: json.dumps(job_to_apply(job), sort_keys=True)} | annotations,
        }
        try:
            self.cluster.patch(CONFIG_MAPS, str(job.config_map), {"metadata": metadata})
        except RefusalError as refused:
            if refused.status == HTTPStatus.CONFLICT:
                return False
            raise
        return True

    def mark(self, name: str, annotations: dict[str, str]) -> None:
        for body in self.every(name)[:1]:
            config_map = str(get(body, "metadata", "name"))
            self.cluster.patch(CONFIG_MAPS, config_map, {"metadata": {"annotations": annotations}})

    def forget_others(self, name: str) -> None:
        """Delete the files of former and of late submissions: all but those of the present RayJob, as they
        are now. A submission that is about to use one applies it again."""
        config_maps = self.every(name)
        job = self.cluster.get(RAY_JOBS, name)
        if job is None:
            return
        in_use = RayJob(job).config_map
        for metadata in (mapping(body.get("metadata")) for body in config_maps):
            if metadata["name"] != in_use and not metadata.get("ownerReferences"):
                self.cluster.delete(
                    CONFIG_MAPS, metadata["name"], metadata["uid"], metadata["resourceVersion"]
                )


def _annotations(body: KubeObject) -> KubeObject:
    return mapping(get(body, "metadata", "annotations"))


def job_to_apply(job: RayJob) -> KubeObject:
    """Return the job without what the cluster and former submissions wrote into it."""
    annotations = {k: v for k, v in job.annotations.items() if not k.startswith(_NOT_KEPT)}
    metadata = mapping(job.body.get("metadata"))
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {
            "name": job.name,
            "namespace": metadata.get("namespace"),
            "labels": mapping(metadata.get("labels")),
            "annotations": annotations,
        },
        "spec": mapping(job.body.get("spec")) | {"suspend": False},
    }


def config_map_to_apply(body: KubeObject) -> KubeObject:
    metadata = mapping(body.get("metadata"))
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {key: metadata.get(key) for key in ("name", "namespace", "labels")},
        "immutable": True,
        "data": mapping(body.get("data")),
    }


def config_in(config_map: KubeObject | None, name: str) -> dict[str, object] | None:
    """The sweep's file as it was submitted; None where the ConfigMap is gone. Raises ConfigError."""
    text = get(config_map, "data", FILE)
    if text is None:
        return None
    config, wrong = parse_yaml(text, f"ConfigMap of {name}", FILE)
    if wrong:
        raise ConfigError(wrong)
    return mapping(config)
