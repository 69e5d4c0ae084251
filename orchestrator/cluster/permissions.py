"""Every right that the verbs need, asked of the API server one by one."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cluster.client import Cluster
from orchestrator.cluster.documents import get
from orchestrator.cluster.resources import (
    ACCESS_REVIEWS,
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    NAMESPACES,
    PODS,
    QUOTAS,
    RAY_JOBS,
    SECRETS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)

# create beside patch: a server-side apply of what is not there yet needs both.
NEEDED: tuple[tuple[Resource, str, tuple[str, ...]], ...] = (
    (RAY_JOBS, "", ("get", "list", "watch", "create", "patch", "delete")),
    (CONFIG_MAPS, "", ("get", "list", "create", "patch", "delete")),
    (PODS, "", ("get", "list")),
    (PODS, "portforward", ("get", "create")),
    (PODS, "log", ("get",)),
    (JOBS, "", ("create", "delete")),
    (EVENTS, "", ("list",)),
    (SECRETS, "", ("get",)),
    (SERVICES, "", ("get",)),
    (CLAIMS, "", ("get",)),
    (QUOTAS, "", ("list",)),
    (DEPLOYMENTS, "", ("get",)),
    (STATEFUL_SETS, "", ("get",)),
    (NAMESPACES, "", ("get",)),
)


def missing_permissions(cluster: Cluster) -> Iterator[str]:
    """`patch rayjobs.ray.io`, a line each."""
    for resource, part, verbs in NEEDED:
        refused = [verb for verb in verbs if not _may(cluster, resource, part, verb)]
        if refused:
            yield f"{', '.join(refused)} {resource.full_name}" + (f"/{part}" if part else "")


def _may(cluster: Cluster, resource: Resource, part: str, verb: str) -> bool:
    attributes = {
        "namespace": cluster.namespace,
        "verb": verb,
        "group": resource.group,
        "resource": resource.plural,
        "subresource": part,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": ACCESS_REVIEWS.kind,
        "spec": {"resourceAttributes": attributes},
    }
    return get(cluster.create(ACCESS_REVIEWS, body), "status", "allowed") is True
