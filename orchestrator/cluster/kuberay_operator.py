"""Check that KubeRay's operator is installed in a cluster, new enough, and ready."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from orchestrator.cluster.api_errors import RefusalError
from orchestrator.cluster.client import Cluster
from orchestrator.cluster.cluster_check import ClusterCheck, bad, good, unsure
from orchestrator.cluster.documents import Document, KubeObject, get, items
from orchestrator.cluster.resources import DEPLOYMENTS

_OLDEST = (1, 6)
_OPERATOR = "app.kubernetes.io/name=kuberay-operator"
_NEW_FIELD = "preRunningDeadlineSeconds"  # of RayJobs since 1.6


def check_operator(cluster: Cluster, _: Sequence[Document]) -> Iterator[ClusterCheck]:
    kinds = {str(item.get("name")) for item in items(get(cluster.ask_path("/apis/ray.io/v1"), "resources"))}
    absent = {"rayjobs", "rayclusters"} - kinds
    if absent:
        yield bad(
            f"KubeRay is not installed: missing CRDs: {', '.join(sorted(absent))}",
            "install its operator, 1.6 or later, by its chart (k8s/README.md names the version)",
        )
        return
    operators = _operators(cluster)
    version = _version_of(operators)
    if operators and not any(get(body, "status", "readyReplicas") for body in operators):
        where = get(operators[0], "metadata", "namespace")
        yield bad(
            f"no pod of KubeRay's operator is ready (namespace {where}): no RayJob will start",
            f"kubectl -n {where} get pods -l {_OPERATOR} shows why",
        )
    if version is None:
        schema = str(cluster.ask_path("/openapi/v3/apis/ray.io/v1") or "")
        if not schema:
            yield unsure("KubeRay is installed; its version cannot be seen")
        elif _NEW_FIELD in schema:
            yield good("KubeRay is installed, 1.6 or later by its schema")
        else:
            yield bad("KubeRay is older than 1.6 by its schema", "upgrade operator and CRDs")
    elif version < _OLDEST:
        yield bad(f"KubeRay {_dotted(version)} is older than {_dotted(_OLDEST)}", "upgrade operator and CRDs")
    else:
        yield good(f"KubeRay {_dotted(version)}")


def _operators(cluster: Cluster) -> list[KubeObject]:
    """Return the operator's deployments, or none where the user may not list them."""
    try:
        return cluster.every(DEPLOYMENTS, labels=_OPERATOR, everywhere=True)
    except RefusalError:
        return []


def _version_of(deployments: Sequence[KubeObject]) -> tuple[int, ...] | None:
    """Return the version of the operator's image, or None if its tag is no version."""
    containers = [
        c for body in deployments for c in items(get(body, "spec", "template", "spec", "containers"))
    ]
    tags = [re.search(r":v?(\d+)\.(\d+)", str(container.get("image"))) for container in containers]
    return next(((int(tag[1]), int(tag[2])) for tag in tags if tag), None)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
