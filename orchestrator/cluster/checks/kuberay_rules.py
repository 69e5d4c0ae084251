"""What the KubeRay operator refuses once a RayJob is in the cluster, told before; and the one thing it does
not refuse although it never works: an unknown submission mode.

The rules are those of KubeRay v1.7.0 (github.com/ray-project/kuberay,
ray-operator/controllers/ray/utils/validation.go, Apache-2.0), by fact, with its feature gates at their
defaults.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from orchestrator.cluster.checks.pods import cluster_of
from orchestrator.cluster.documents import Document, get, items, mapping
from orchestrator.cluster.naming import DNS_1035, LONGEST_JOB_NAME
from orchestrator.errors import Complaint, did_you_mean

_MODES = ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")
_LONGEST_CLUSTER_NAME = 53
_V2 = "RAY_enable_autoscaler_v2"
_FT = "ray.io/ft-enabled"
_ORDER = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")  # each no earlier than the one before
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


def check(documents: Sequence[Document]) -> Iterator[Complaint]:
    for document in documents:
        if document.kind == "RayJob":
            yield from _name(document, LONGEST_JOB_NAME)
            yield from _mode(document)
            yield from _ends(document)
            yield from _selector(document)
            yield from _deletion(document)
        elif document.kind == "RayCluster":
            yield from _name(document, _LONGEST_CLUSTER_NAME)
        found = cluster_of(document)
        if found is not None:
            cluster, key = found
            for group, path in _groups(cluster, key):
                yield from _group(document, group, path)
            yield from _replicas(document, cluster, key)
            yield from _autoscaling(document, cluster, key)
            yield from _fault_tolerance(document, cluster, key)
            yield from _token(document, cluster, key)


def _name(document: Document, longest: int) -> Iterator[Complaint]:
    name = document.name
    if len(name) > longest:
        problem = f"{name!r} has {len(name)} characters; KubeRay takes {longest}"
        yield document.complaint("metadata.name", problem, "shorten it")
    if name and not DNS_1035.fullmatch(name):
        remedy = "begin with a letter; then lower-case letters, digits and hyphens"
        yield document.complaint("metadata.name", f"{name!r} is no DNS-1035 label", remedy)


def _mode(document: Document) -> Iterator[Complaint]:
    spec, mode = document.spec, document.spec.get("submissionMode", "K8sJobMode")
    if mode not in _MODES:
        problem = f"{mode!r} is no submission mode: the cluster would start, and nothing be submitted to it"
        yield document.complaint("spec.submissionMode", problem, did_you_mean(str(mode), _MODES))
    if mode == "InteractiveMode" and (spec.get("backoffLimit") or 0) > 0:
        remedy = "remove it, or use K8sJobMode"
        yield document.complaint("spec.backoffLimit", "has no place in InteractiveMode", remedy)
    if mode == "SidecarMode":
        for field in ("submitterPodTemplate", "submitterConfig"):
            if spec.get(field) is not None:
                yield document.complaint(f"spec.{field}", "has no place in SidecarMode", "use K8sJobMode")
        policy = get(spec, "rayClusterSpec", "headGroupSpec", "template", "spec", "restartPolicy")
        if policy not in (None, "", "Never"):
            key = "spec.rayClusterSpec.headGroupSpec.template.spec.restartPolicy"
            yield document.complaint(key, f"{policy!r} in SidecarMode", "write Never")


def _ends(document: Document) -> Iterator[Complaint]:
    spec = document.spec
    shutdown, ttl = bool(spec.get("shutdownAfterJobFinishes")), spec.get("ttlSecondsAfterFinished") or 0
    if spec.get("suspend") and not shutdown:
        remedy = "set shutdownAfterJobFinishes: true"
        yield document.complaint("spec.suspend", "a job that keeps its cluster cannot be suspended", remedy)
    if _number(ttl) < 0:
        yield document.complaint("spec.ttlSecondsAfterFinished", f"{ttl} is negative", "write 0 or more")
    if _number(ttl) > 0 and not shutdown:
        remedy = "set shutdownAfterJobFinishes: true"
        yield document.complaint("spec.ttlSecondsAfterFinished", "ends a cluster that is to be kept", remedy)
    for field, least in (("activeDeadlineSeconds", 1), ("preRunningDeadlineSeconds", 1), ("backoffLimit", 0)):
        value = spec.get(field)
        if value is not None and _number(value) < least:
            yield document.complaint(f"spec.{field}", f"{value} is too low", f"write {least} or more")
    text = spec.get("runtimeEnvYAML")
    if isinstance(text, str):
        try:
            sound = isinstance(yaml.safe_load(text) or {}, dict)
        except yaml.YAMLError:
            sound = False
        if not sound:
            yield document.complaint("spec.runtimeEnvYAML", "is no YAML mapping", "correct it")


def _selector(document: Document) -> Iterator[Complaint]:
    spec, selector = document.spec, mapping(document.spec.get("clusterSelector"))
    if not selector:
        if not isinstance(spec.get("rayClusterSpec"), dict):
            remedy = "give rayClusterSpec"
            yield document.complaint("spec.rayClusterSpec", "there is no cluster to run on", remedy)
        return
    key = "spec.clusterSelector"
    if not selector.get("ray.io/cluster"):
        yield document.complaint(key, "names no cluster", "set ray.io/cluster")
    if spec.get("suspend"):
        remedy = "give rayClusterSpec instead"
        yield document.complaint(key, "a job on a selected cluster cannot be suspended", remedy)
    if spec.get("submissionMode") == "SidecarMode":
        yield document.complaint(key, "has no place in SidecarMode", "use K8sJobMode")


def _deletion(document: Document) -> Iterator[Complaint]:
    strategy = document.spec.get("deletionStrategy")
    if strategy is None:
        return
    key, strategy = "spec.deletionStrategy", mapping(strategy)
    rules = items(strategy.get("deletionRules"))
    old = {name: get(strategy, name, "policy") for name in ("onSuccess", "onFailure") if name in strategy}
    shutdown = bool(document.spec.get("shutdownAfterJobFinishes"))
    if rules and shutdown:
        remedy = "remove one of the two"
        problem = "deletionRules and shutdownAfterJobFinishes exclude each other"
        yield document.complaint(f"{key}.deletionRules", problem, remedy)
    if rules and old:
        yield document.complaint(key, "holds deletionRules beside onSuccess/onFailure", "keep the rules")
    if not rules and not old:
        yield document.complaint(key, "is empty", "remove it, or give deletionRules")
    if old and len(old) == 1:
        yield document.complaint(key, f"has {next(iter(old))} alone", "give onSuccess and onFailure both")
    for name, policy in old.items():
        if policy is None:
            yield document.complaint(f"{key}.{name}.policy", "is missing", "name a policy")
        if policy == "DeleteNone" and shutdown:
            remedy = "choose DeleteCluster"
            problem = "DeleteNone beside shutdownAfterJobFinishes: true"
            yield document.complaint(f"{key}.{name}.policy", problem, remedy)
        yield from _policy(document, f"{key}.{name}.policy", policy)
    yield from _rules(document, f"{key}.deletionRules", rules)


def _rules(document: Document, key: str, rules: list[dict[str, Any]]) -> Iterator[Complaint]:
    seen: dict[Any, dict[Any, int]] = {}
    for number, rule in enumerate(rules):
        condition, policy, path = mapping(rule.get("condition")), rule.get("policy"), f"{key}.{number}"
        seconds = _number(condition.get("ttlSeconds") or 0)
        if seconds < 0:
            yield document.complaint(f"{path}.condition.ttlSeconds", "is negative", "write 0 or more")
        yield from _policy(document, f"{path}.policy", policy)
        status = condition.get("jobStatus") or condition.get("jobDeploymentStatus")
        known = seen.setdefault(status, {})
        if policy in known:
            yield document.complaint(path, f"a second {policy} for {status}", "keep one of them")
        known[policy] = int(seconds)
    for status, known in seen.items():
        there = [policy for policy in _ORDER if policy in known]
        for before, after in itertools.pairwise(there):
            if known[after] < known[before]:
                problem = f"for {status}, {after} comes before {before}"
                yield document.complaint(key, problem, "give it the larger ttlSeconds")


def _policy(document: Document, key: str, policy: Any) -> Iterator[Complaint]:
    if document.spec.get("clusterSelector") and policy in ("DeleteCluster", "DeleteWorkers"):
        yield document.complaint(key, f"{policy} on a selected cluster", "use DeleteSelf or DeleteNone")
    if policy == "DeleteWorkers" and get(document.spec, "rayClusterSpec", "enableInTreeAutoscaling"):
        yield document.complaint(key, "DeleteWorkers does not go with autoscaling", "use DeleteCluster")


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


def _number(value: Any) -> float:
    """What is no number is the schema's complaint."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
