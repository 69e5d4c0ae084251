"""What the KubeRay operator refuses in a cluster, of a RayJob or on its own. Sources: see `kuberay_rules`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.cluster.checks.numbers import number as _number
from orchestrator.cluster.checks.pods import cluster_of
from orchestrator.cluster.documents import Document, get, items, mapping
from orchestrator.errors import Complaint

_V2 = "RAY_enable_autoscaler_v2"
_FT = "ray.io/ft-enabled"
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


def check(documents: Sequence[Document]) -> Iterator[Complaint]:
    for document in documents:
        found = cluster_of(document)
        if found is None:
            continue
        cluster, key = found
        for group, path in _groups(cluster, key):
            yield from _group(document, group, path)
        yield from _replicas(document, cluster, key)
        yield from _autoscaling(document, cluster, key)
        yield from _fault_tolerance(document, cluster, key)
        yield from _token(document, cluster, key)


def _groups(cluster: dict[str, Any], key: str) -> Iterator[tuple[dict[str, Any], str]]:
    yield mapping(cluster.get("headGroupSpec")), f"{key}.headGroupSpec"
    for number, group in enumerate(items(cluster.get("workerGroupSpecs"))):
        yield group, f"{key}.workerGroupSpecs.{number}"


def _group(document: Document, group: dict[str, Any], key: str) -> Iterator[Complaint]:
    params = mapping(group.get("rayStartParams"))
    if not items(get(group, "template", "spec", "containers")):
        remedy = "the Ray container comes first"
        yield document.complaint(f"{key}.template.spec.containers", "has no container", remedy)
    doubled = [name for name in ("num-cpus", "num-gpus", "memory", "resources") if params.get(name)]
    if doubled and group.get("resources"):
        problem = f"resources stand here and in rayStartParams ({', '.join(doubled)})"
        yield document.complaint(f"{key}.resources", problem, "keep one of the two places")
    if "labels" in params:
        remedy = "use the group's `labels`"
        yield document.complaint(f"{key}.rayStartParams.labels", "is not supported", remedy)
    for name, value in mapping(group.get("labels")).items():
        if not _LABEL_KEY.fullmatch(str(name)) or not _LABEL_VALUE.fullmatch(str(value)):
            remedy = "letters, digits, '-', '_' and '.', at most 63"
            yield document.complaint(f"{key}.labels.{name}", f"{value!r} is no label of Kubernetes", remedy)


def _replicas(document: Document, cluster: dict[str, Any], key: str) -> Iterator[Complaint]:
    names: set[Any] = set()
    for number, group in enumerate(items(cluster.get("workerGroupSpecs"))):
        path, name = f"{key}.workerGroupSpecs.{number}", group.get("groupName")
        least, most = _number(group.get("minReplicas") or 0), _number(group.get("maxReplicas", 0))
        if name in names:
            yield document.complaint(f"{path}.groupName", f"{name!r} stands twice", "rename one")
        names.add(name)
        if least < 0:
            yield document.complaint(f"{path}.minReplicas", f"{least:g} is negative", "write 0 or more")
        if least > most:
            problem = f"minReplicas {least:g} is more than maxReplicas {most:g}"
            yield document.complaint(f"{path}.minReplicas", problem, "lower it, or raise maxReplicas")
        wanted = group.get("replicas")
        if wanted is not None and not least <= _number(wanted) <= max(least, most):
            problem = f"replicas {wanted} is not between {least:g} and {most:g}"
            yield document.complaint(
                f"{path}.replicas", problem, "move it between minReplicas and maxReplicas"
            )


def _autoscaling(document: Document, cluster: dict[str, Any], key: str) -> Iterator[Complaint]:
    autoscaled = bool(cluster.get("enableInTreeAutoscaling"))
    by_env = _head_env(cluster).get(_V2)
    version = get(cluster, "autoscalerOptions", "version")
    env_key = f"{key}.headGroupSpec.template.spec.containers.0.env"
    if not autoscaled and str(by_env).lower() in ("1", "true"):
        remedy = "set enableInTreeAutoscaling: true"
        yield document.complaint(env_key, f"{_V2} without autoscaling", remedy)
    if autoscaled and version is not None and by_env is not None:
        remedy = "keep autoscalerOptions.version"
        yield document.complaint(env_key, f"{_V2} beside autoscalerOptions.version", remedy)
    for number, group in enumerate(items(cluster.get("workerGroupSpecs"))):
        if autoscaled and group.get("suspend"):
            path = f"{key}.workerGroupSpecs.{number}.suspend"
            yield document.complaint(path, "a group cannot be suspended with autoscaling", "remove it")
    if autoscaled and (version == "v2" or by_env is not None):
        for group, path in _groups(cluster, key):
            policy = get(group, "template", "spec", "restartPolicy")
            if policy not in (None, "", "Never"):
                where = f"{path}.template.spec.restartPolicy"
                yield document.complaint(where, f"{policy!r} with autoscaler v2", "write Never")


def _head_env(cluster: dict[str, Any]) -> dict[Any, Any]:
    containers = items(get(cluster, "headGroupSpec", "template", "spec", "containers"))[:1]
    return {env.get("name"): env.get("value", "") for c in containers for env in items(c.get("env"))}


def _fault_tolerance(document: Document, cluster: dict[str, Any], key: str) -> Iterator[Complaint]:
    env, options = _head_env(cluster), cluster.get("gcsFaultToleranceOptions")
    annotation = document.annotations.get(_FT)
    params = mapping(get(cluster, "headGroupSpec", "rayStartParams"))
    env_key = f"{key}.headGroupSpec.template.spec.containers.0.env"
    if annotation and options is not None:
        remedy = "remove the annotation"
        yield document.complaint(f"metadata.annotations.{_FT}", "beside gcsFaultToleranceOptions", remedy)
    if options is None and str(annotation).lower() != "true" and "RAY_REDIS_ADDRESS" in env:
        remedy = "remove it: a sweep is restored from its records"
        yield document.complaint(env_key, "RAY_REDIS_ADDRESS without gcsFaultToleranceOptions", remedy)
    if options is not None:
        for name in ("REDIS_PASSWORD", "RAY_REDIS_ADDRESS"):
            if name in env:
                remedy = "move it into gcsFaultToleranceOptions"
                yield document.complaint(env_key, f"{name} beside gcsFaultToleranceOptions", remedy)
        if params.get("redis-password"):
            where = f"{key}.headGroupSpec.rayStartParams.redis-password"
            yield document.complaint(where, "beside gcsFaultToleranceOptions", "move it there")
    if params.get("redis-username") or "REDIS_USERNAME" in env:
        remedy = "use gcsFaultToleranceOptions.redisUsername"
        yield document.complaint(env_key, "a Redis user name outside gcsFaultToleranceOptions", remedy)


def _token(document: Document, cluster: dict[str, Any], key: str) -> Iterator[Complaint]:
    if get(cluster, "authOptions", "mode") != "token":
        return
    version = str(cluster.get("rayVersion") or "")
    numbers = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?.*", version)
    where, remedy = f"{key}.rayVersion", "write the image's version, 2.52.0 or later"
    if not version:
        yield document.complaint(where, "is missing, and authOptions.mode is token", remedy)
    elif numbers is None:
        yield document.complaint(where, f"{version!r} is no version", remedy)
    elif (int(numbers[1]), int(numbers[2])) < (2, 52):
        yield document.complaint(where, f"Ray {version} knows no tokens", remedy)
    if document.kind == "RayJob" and get(cluster, "authOptions", "enableK8sTokenAuth"):
        where = f"{key}.authOptions.enableK8sTokenAuth"
        yield document.complaint(where, "is refused for a RayJob", "remove it")
