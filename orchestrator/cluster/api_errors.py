"""Errors of the API server as problems with their fix."""

from __future__ import annotations

import json
from typing import Any

from orchestrator.cluster.documents import get, items
from orchestrator.cluster.resources import Resource
from orchestrator.errors import LaunchError

_INSTALL = "install the KubeRay operator, 1.6 or later, by its chart (k8s/README.md names the version)"


class RefusalError(LaunchError):
    """The API server said no. `status`: of HTTP. `absent`: that one object is not there; its kind is."""

    def __init__(self, status: int, message: str, *, absent: bool = False) -> None:
        self.status, self.absent = status, absent
        super().__init__(message)


def refusal(
    verb: str,
    resource: Resource,
    name: str,
    namespace: str,
    status: int,
    content: bytes,
    doctor: str,
) -> RefusalError:
    """`content`: the answer's body, a Status of Kubernetes or any text. `doctor`: the command that looks at
    this cluster."""
    body = decoded(content)
    message = str(get(body, "message") or content.decode(errors="replace").strip()[:300] or f"HTTP {status}")
    where = f" in namespace {namespace}" if resource.namespaced and namespace else ""
    what = f"{resource.kind} {name}{where}" if name else f"{resource.full_name}{where}"
    problem, fix = _words(verb, resource, what, namespace, status, body, message, doctor)
    absent = status == 404 and bool(name) and get(body, "details", "name") == name
    return RefusalError(status, f"{problem}\n    -> {fix}", absent=absent)


def decoded(content: bytes) -> Any:
    """Return the decoded JSON; None if it is none."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def _words(
    verb: str,
    resource: Resource,
    what: str,
    namespace: str,
    status: int,
    body: object,
    said: str,
    doctor: str,
) -> tuple[str, str]:
    if status == 401:
        return f"authentication failed: {said}", "log in to it again (`kubectl get ns` must work)"
    if status == 403 and "exceeded quota" in said:
        return (
            f"the quota does not allow {what}: {said}",
            "stop another sweep, or ask for a larger ResourceQuota",
        )
    if status == 403 and "violates PodSecurity" in said:
        return f"{what}: {said}", "`frontier doctor --manifests` names the containers that break the profile"
    if status == 403:
        return (
            f"you may not {verb} {resource.full_name} in namespace {namespace}: {said}",
            "have your group bound to the role frontier-user (k8s/base/rbac-user.yaml); "
            f"{doctor} lists every permission that is missing",
        )
    if status == 404 and resource.group == "ray.io" and get(body, "details", "name") is None:
        return "KubeRay is not installed in this cluster: the RayJob CRD is missing", _INSTALL
    if status == 404 and get(body, "details", "kind") == "namespaces":
        return f"there is no namespace {namespace}", "apply an overlay first: kubectl apply -k k8s/overlays/…"
    if status == 404:
        return f"there is no {what}", "check its name and --namespace"
    if status == 409:
        return _conflict(what, body, said)
    if status in (400, 422):
        causes = "; ".join(
            f"{c.get('field')}: {c.get('message')}" for c in items(get(body, "details", "causes"))
        )
        return (
            f"the cluster refuses {what}: {causes or said}",
            f"`frontier doctor --manifests` and the version of KubeRay ({doctor}) may tell more",
        )
    return (
        f"the cluster cannot {verb} {what}: {said} (HTTP {status})",
        "retry; then ask the cluster's administrator",
    )


def _conflict(what: str, body: object, said: str) -> tuple[str, str]:
    fields = [str(cause.get("field")) for cause in items(get(body, "details", "causes"))]
    if fields:
        return (
            f"{what}: another client manages {', '.join(fields)}: {said}",
            "where GitOps or kubectl applies this sweep, let that do it, or delete the object there first",
        )
    return f"{what} was changed by another client meanwhile: {said}", "rerun the command"
