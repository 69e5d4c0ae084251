"""What the KubeRay operator refuses once a RayJob is in the cluster, found before; and the one thing it does
not refuse although it never works: an unknown submission mode.

The rules are those of KubeRay v1.7.0 (github.com/ray-project/kuberay,
ray-operator/controllers/ray/utils/validation.go, Apache-2.0), by fact, with its feature gates at their
defaults.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks import kuberay_cluster
from orchestrator.cluster.checks.numbers import number_or_zero
from orchestrator.cluster.documents import Document, KubeObject, get, items, mapping
from orchestrator.cluster.naming import DNS_1035, LONGEST_JOB_NAME
from orchestrator.config.yaml_sources import parse_yaml
from orchestrator.errors import Problem, did_you_mean

_MODES = ("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")
_LONGEST_CLUSTER_NAME = 53
_ORDER = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")  # each no earlier than the one before


def check(documents: Sequence[Document]) -> Iterator[Problem]:
    for document in documents:
        if document.kind == "RayJob":
            yield from _name(document, LONGEST_JOB_NAME)
            yield from _mode(document)
            yield from _ends(document)
            yield from _selector(document)
            yield from _deletion(document)
        elif document.kind == "RayCluster":
            yield from _name(document, _LONGEST_CLUSTER_NAME)
    yield from kuberay_cluster.check(documents)


def _name(document: Document, longest: int) -> Iterator[Problem]:
    name = document.name
    if len(name) > longest:
        problem = f"{name!r} has {len(name)} characters; KubeRay takes {longest}"
        yield document.problem_at("metadata.name", problem, "shorten it")
    if name and not DNS_1035.fullmatch(name):
        fix = "begin with a letter; then lower-case letters, digits and hyphens"
        yield document.problem_at("metadata.name", f"{name!r} is no DNS-1035 label", fix)


def _mode(document: Document) -> Iterator[Problem]:
    spec, mode = document.spec, document.spec.get("submissionMode", "K8sJobMode")
    if mode not in _MODES:
        problem = f"{mode!r} is no submission mode: the cluster would start, and nothing be submitted to it"
        yield document.problem_at("spec.submissionMode", problem, did_you_mean(str(mode), _MODES))
    if mode == "InteractiveMode" and (spec.get("backoffLimit") or 0) > 0:
        fix = "remove it, or use K8sJobMode"
        yield document.problem_at("spec.backoffLimit", "has no place in InteractiveMode", fix)
    if mode == "SidecarMode":
        for field in ("submitterPodTemplate", "submitterConfig"):
            if spec.get(field) is not None:
                yield document.problem_at(f"spec.{field}", "has no place in SidecarMode", "use K8sJobMode")
        policy = get(spec, "rayClusterSpec", "headGroupSpec", "template", "spec", "restartPolicy")
        if policy not in (None, "", "Never"):
            key = "spec.rayClusterSpec.headGroupSpec.template.spec.restartPolicy"
            yield document.problem_at(key, f"{policy!r} in SidecarMode", "write Never")


def _ends(document: Document) -> Iterator[Problem]:
    spec = document.spec
    shutdown, ttl = bool(spec.get("shutdownAfterJobFinishes")), spec.get("ttlSecondsAfterFinished") or 0
    if spec.get("suspend") and not shutdown:
        fix = "set shutdownAfterJobFinishes: true"
        yield document.problem_at("spec.suspend", "a job that keeps its cluster cannot be suspended", fix)
    if number_or_zero(ttl) < 0:
        yield document.problem_at("spec.ttlSecondsAfterFinished", f"{ttl} is negative", "write 0 or more")
    if number_or_zero(ttl) > 0 and not shutdown:
        fix = "set shutdownAfterJobFinishes: true"
        yield document.problem_at("spec.ttlSecondsAfterFinished", "ends a cluster that is to be kept", fix)
    for field, least in (("activeDeadlineSeconds", 1), ("preRunningDeadlineSeconds", 1), ("backoffLimit", 0)):
        value = spec.get(field)
        if value is not None and number_or_zero(value) < least:
            yield document.problem_at(f"spec.{field}", f"{value} is too low", f"write {least} or more")
    text = spec.get("runtimeEnvYAML")
    if isinstance(text, str):
        value, wrong = parse_yaml(text, document.where)
        if wrong or not isinstance(value or {}, dict):
            yield document.problem_at("spec.runtimeEnvYAML", "is no YAML mapping", "correct it")


def _selector(document: Document) -> Iterator[Problem]:
    spec, selector = document.spec, mapping(document.spec.get("clusterSelector"))
    if not selector:
        if not isinstance(spec.get("rayClusterSpec"), dict):
            fix = "give rayClusterSpec"
            yield document.problem_at("spec.rayClusterSpec", "there is no cluster to run on", fix)
        return
    key = "spec.clusterSelector"
    if not selector.get("ray.io/cluster"):
        yield document.problem_at(key, "names no cluster", "set ray.io/cluster")
    if spec.get("suspend"):
        fix = "give rayClusterSpec instead"
        yield document.problem_at(key, "a job on a selected cluster cannot be suspended", fix)
    if spec.get("submissionMode") == "SidecarMode":
        yield document.problem_at(key, "has no place in SidecarMode", "use K8sJobMode")


def _deletion(document: Document) -> Iterator[Problem]:
    strategy = document.spec.get("deletionStrategy")
    if strategy is None:
        return
    key, strategy = "spec.deletionStrategy", mapping(strategy)
    rules = items(strategy.get("deletionRules"))
    old = {name: get(strategy, name, "policy") for name in ("onSuccess", "onFailure") if name in strategy}
    shutdown = bool(document.spec.get("shutdownAfterJobFinishes"))
    if rules and shutdown:
        fix = "remove one of the two"
        problem = "deletionRules and shutdownAfterJobFinishes exclude each other"
        yield document.problem_at(f"{key}.deletionRules", problem, fix)
    if rules and old:
        yield document.problem_at(key, "holds deletionRules beside onSuccess/onFailure", "keep the rules")
    if not rules and not old:
        yield document.problem_at(key, "is empty", "remove it, or give deletionRules")
    if old and len(old) == 1:
        yield document.problem_at(key, f"has {next(iter(old))} alone", "give onSuccess and onFailure both")
    for name, policy in old.items():
        if policy is None:
            yield document.problem_at(f"{key}.{name}.policy", "is missing", "name a policy")
        if policy == "DeleteNone" and shutdown:
            fix = "choose DeleteCluster"
            problem = "DeleteNone beside shutdownAfterJobFinishes: true"
            yield document.problem_at(f"{key}.{name}.policy", problem, fix)
        yield from _policy(document, f"{key}.{name}.policy", policy)
    yield from _rules(document, f"{key}.deletionRules", rules)


def _rules(document: Document, key: str, rules: list[KubeObject]) -> Iterator[Problem]:
    seen: dict[object, dict[object, int]] = {}
    for number, rule in enumerate(rules):
        condition, policy, path = mapping(rule.get("condition")), rule.get("policy"), f"{key}.{number}"
        seconds = number_or_zero(condition.get("ttlSeconds") or 0)
        if seconds < 0:
            yield document.problem_at(f"{path}.condition.ttlSeconds", "is negative", "write 0 or more")
        yield from _policy(document, f"{path}.policy", policy)
        status = condition.get("jobStatus") or condition.get("jobDeploymentStatus")
        policies = seen.setdefault(status, {})
        if policy in policies:
            yield document.problem_at(path, f"a second {policy} for {status}", "keep one of them")
        policies[policy] = int(seconds)
    for status, policies in seen.items():
        there = [policy for policy in _ORDER if policy in policies]
        for before, after in itertools.pairwise(there):
            if policies[after] < policies[before]:
                problem = f"for {status}, {after} comes before {before}"
                yield document.problem_at(key, problem, "give it the larger ttlSeconds")


def _policy(document: Document, key: str, policy: object) -> Iterator[Problem]:
    if document.spec.get("clusterSelector") and policy in ("DeleteCluster", "DeleteWorkers"):
        yield document.problem_at(key, f"{policy} on a selected cluster", "use DeleteSelf or DeleteNone")
    if policy == "DeleteWorkers" and get(document.spec, "rayClusterSpec", "enableInTreeAutoscaling"):
        yield document.problem_at(key, "DeleteWorkers does not go with autoscaling", "use DeleteCluster")
