"""The fields that a sweep sets in the RayJob template and its ConfigMap; all others are the template's.

Typed, so that a wrong value cannot be rendered: Kubernetes itself takes any text as a submission mode, and
KubeRay then starts a cluster and never submits to it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestrator.cluster.documents import KubeObject
from orchestrator.cluster.naming import LONGEST_JOB_NAME
from orchestrator.contracts.record import Record

_LABEL = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"


class JobMetadata(Record):
    name: str = Field(pattern=_LABEL, max_length=LONGEST_JOB_NAME)
    labels: dict[str, str]
    annotations: dict[str, str]


class JobSpec(Record):
    submissionMode: Literal["K8sJobMode"] = "K8sJobMode"  # noqa: N815  Kubernetes' own name
    suspend: Literal[False] = False
    entrypoint: str = Field(min_length=1)


class SweepJob(Record):
    metadata: JobMetadata
    spec: JobSpec


class ConfigMapMetadata(Record):
    name: str = Field(pattern=_LABEL, max_length=63)
    namespace: str
    labels: dict[str, str]


class SweepConfigMap(Record):
    apiVersion: Literal["v1"] = "v1"  # noqa: N815
    kind: Literal["ConfigMap"] = "ConfigMap"
    metadata: ConfigMapMetadata
    immutable: Literal[True] = True
    data: dict[str, str]


class KeyToPath(Record):
    key: str = Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)
    path: str


class ConfigMapSource(Record):
    name: str
    items: tuple[KeyToPath, ...]


def laid_over(template: KubeObject, ours: KubeObject) -> KubeObject:
    """`ours` over `template`: mappings key by key, anything else replaced."""
    both = {
        key: laid_over(template[key], value)
        for key, value in ours.items()
        if isinstance(value, dict) and isinstance(template.get(key), dict)
    }
    return template | ours | both
