"""KubeRay's rules on bare jobs and clusters, the network as a graph, and manifests of any shape."""

from __future__ import annotations

import copy
import random
from importlib.util import find_spec
from typing import Any

import pytest
from golden_overlays import OVERLAYS, overlay

from orchestrator.cluster.checks import check_manifests, kuberay_job
from orchestrator.cluster.checks.network_policies import Edge, Network, Place
from orchestrator.cluster.checks.submission import SUBMITTER
from orchestrator.cluster.documents import Document

POD = {"spec": {"containers": [{"name": "ray"}]}}
CLUSTER: dict[str, Any] = {
    "rayVersion": "2.60.0",
    "headGroupSpec": {"rayStartParams": {}, "template": POD},
    "workerGroupSpecs": [{"groupName": "w", "minReplicas": 0, "maxReplicas": 1, "template": POD}],
}
JOB: dict[str, Any] = {"rayClusterSpec": CLUSTER, "shutdownAfterJobFinishes": True}
AUTOSCALED = {"enableInTreeAutoscaling": True}
GROUP = {"groupName": "w", "minReplicas": 0, "maxReplicas": 1, "template": POD}
RAY_V2 = {"name": "RAY_enable_autoscaler_v2", "value": "1"}


def head(**fields: Any) -> dict[str, Any]:
    env = fields.pop("env", [])
    return {"template": {"spec": {"containers": [{"name": "ray", "env": env}]}}, "rayStartParams": fields}


# What is laid over the job, what over its cluster, and the words.
RULES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"runtimeEnvYAML": "a: [1"}, {}, "runtimeEnvYAML: is no YAML mapping"),
    ({"runtimeEnvYAML": "text"}, {}, "runtimeEnvYAML: is no YAML mapping"),
    ({"activeDeadlineSeconds": 0}, {}, "activeDeadlineSeconds: 0 is too low"),
    ({"preRunningDeadlineSeconds": 0}, {}, "preRunningDeadlineSeconds: 0 is too low"),
    ({"backoffLimit": -1}, {}, "backoffLimit: -1 is too low"),
    ({"ttlSecondsAfterFinished": -1}, {}, "-1 is negative"),
    ({"suspend": True, "shutdownAfterJobFinishes": False}, {}, "cannot be suspended"),
    ({"submissionMode": "InteractiveMode", "backoffLimit": 1}, {}, "no place in InteractiveMode"),
    ({"submissionMode": "SidecarMode", "submitterPodTemplate": POD}, {}, "no place in SidecarMode"),
    ({"submissionMode": "SidecarMode", "submitterConfig": {}}, {}, "no place in SidecarMode"),
    ({"submissionMode": "k8sJobMode"}, {}, "did you mean 'K8sJobMode'"),
    ({"clusterSelector": {"app": "x"}}, {}, "names no cluster"),
    (
        {"clusterSelector": {"ray.io/cluster": "x"}, "suspend": True},
        {},
        "selected cluster cannot be suspended",
    ),
    (
        {"clusterSelector": {"ray.io/cluster": "x"}, "submissionMode": "SidecarMode"},
        {},
        "clusterSelector: has no place in SidecarMode",
    ),
    ({"deletionStrategy": {"onSuccess": {"policy": "DeleteSelf"}}}, {}, "onSuccess alone"),
    ({"deletionStrategy": {"onSuccess": {}, "onFailure": {}}}, {}, "onSuccess.policy: is missing"),
    (
        {"deletionStrategy": {k: {"policy": "DeleteNone"} for k in ("onSuccess", "onFailure")}},
        {},
        "DeleteNone beside shutdownAfterJobFinishes",
    ),
    (
        {"deletionStrategy": {k: {"policy": "DeleteWorkers"} for k in ("onSuccess", "onFailure")}},
        AUTOSCALED,
        "DeleteWorkers does not go with autoscaling",
    ),
    (
        {
            "shutdownAfterJobFinishes": False,
            "deletionStrategy": {
                "deletionRules": [{"policy": "DeleteSelf", "condition": {"jobStatus": "FAILED"}}] * 2
            },
        },
        {},
        "a second DeleteSelf for FAILED",
    ),
    ({}, {"headGroupSpec": {"template": {"spec": {"containers": []}}}}, "containers: has no container"),
    ({}, {"headGroupSpec": head() | {"labels": {"a b": "c"}}}, "is no label of Kubernetes"),
    ({}, {"headGroupSpec": head(**{"num-cpus": "1"}) | {"resources": {"CPU": "1"}}}, "set here and in ray"),
    ({}, {"headGroupSpec": head(env=[RAY_V2])}, "RAY_enable_autoscaler_v2 without autoscaling"),
    ({}, {"headGroupSpec": head(**{"redis-username": "x"})}, "a Redis user name outside"),
    (
        {},
        {"headGroupSpec": head(**{"redis-password": "x"}), "gcsFaultToleranceOptions": {}},
        "redis-password: beside gcsFaultToleranceOptions",
    ),
    (
        {},
        {"headGroupSpec": head(env=[{"name": "REDIS_PASSWORD"}]), "gcsFaultToleranceOptions": {}},
        "REDIS_PASSWORD beside gcsFaultToleranceOptions",
    ),
    ({}, AUTOSCALED | {"workerGroupSpecs": [GROUP | {"suspend": True}]}, "cannot be suspended with auto"),
    ({}, {"workerGroupSpecs": [GROUP | {"minReplicas": -1}]}, "-1 is negative"),
    ({}, {"authOptions": {"mode": "token"}, "rayVersion": "nightly"}, "'nightly' is no version"),
    (
        {},
        {"authOptions": {"mode": "token", "enableK8sTokenAuth": True}},
        "enableK8sTokenAuth: is refused for a RayJob",
    ),
]


def job(over_job: dict[str, Any], over_cluster: dict[str, Any]) -> Document:
    spec = copy.deepcopy(JOB) | over_job
    spec["rayClusterSpec"] = spec["rayClusterSpec"] | over_cluster
    body = {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": "sweep"}, "spec": spec}
    return Document("file.yaml", body)


@pytest.mark.parametrize(("over_job", "over_cluster", "words"), RULES, ids=[words for *_, words in RULES])
def test_kuberay_would_refuse(over_job: dict[str, Any], over_cluster: dict[str, Any], words: str) -> None:
    told = [str(problem) for problem in kuberay_job.check([job(over_job, over_cluster)])]
    assert any(words in line for line in told), told


def test_kuberay_would_take_it() -> None:
    assert list(kuberay_job.check([job({}, {})])) == []


def test_a_cluster_alone_has_its_own_longest_name() -> None:
    metadata = {"name": "c" * 54}
    body = {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": metadata, "spec": CLUSTER}
    [problem] = kuberay_job.check([Document("file.yaml", body)])
    assert "54 characters; KubeRay takes 53" in str(problem)


def policy(spec: dict[str, Any], namespace: str = "here") -> Document:
    return Document(
        "", {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": namespace}, "spec": spec}
    )


A = Place("a", {"app": "a"}, "here", ports={"web": 80})
B = Place("b", {"app": "b", "tier": "low"}, "here")
C = Place("c", {"app": "c"}, "there")
OUTSIDE = Place("outside", address="203.0.113.7")
TO_A: dict[str, Any] = {"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Ingress"]}
FROM_A: dict[str, Any] = {"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Egress"]}


def tier(operator: str, *values: str) -> dict[str, Any]:
    expression: dict[str, Any] = {"key": "tier", "operator": operator}
    if values:
        expression["values"] = list(values)
    return {"podSelector": {"matchExpressions": [expression]}}


@pytest.mark.parametrize(
    ("spec", "edge", "open_"),
    [
        (None, Edge(B, A, 80), True),
        (TO_A, Edge(B, A, 80), False),
        (TO_A, Edge(A, B, 80), True),
        (TO_A | {"ingress": [{}]}, Edge(B, A, 80), True),
        (TO_A | {"ingress": [{"from": [{"podSelector": {}}]}]}, Edge(B, A, 80), True),
        (TO_A | {"ingress": [{"from": [{"podSelector": {}}]}]}, Edge(C, A, 80), False),
        (TO_A | {"ingress": [{"from": [{"namespaceSelector": {}}]}]}, Edge(C, A, 80), True),
        (
            TO_A
            | {
                "ingress": [
                    {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "x"}}}]}
                ]
            },
            Edge(C, A, 80),
            False,
        ),
        (TO_A | {"ingress": [{"from": [tier("Exists")]}]}, Edge(B, A, 80), True),
        (TO_A | {"ingress": [{"from": [tier("DoesNotExist")]}]}, Edge(B, A, 80), False),
        (TO_A | {"ingress": [{"from": [tier("In", "low")]}]}, Edge(B, A, 80), True),
        (TO_A | {"ingress": [{"from": [tier("NotIn", "low")]}]}, Edge(B, A, 80), False),
        (TO_A | {"ingress": [{"ports": [{"port": 80}]}]}, Edge(B, A, 80), True),
        (TO_A | {"ingress": [{"ports": [{"port": 80}]}]}, Edge(B, A, 81), False),
        (TO_A | {"ingress": [{"ports": [{"port": "web"}]}]}, Edge(B, A, 80), True),
        (TO_A | {"ingress": [{"ports": [{"port": 1, "endPort": 99}]}]}, Edge(B, A, 80), True),
        (TO_A | {"ingress": [{"ports": [{"port": 80}]}]}, Edge(B, A, 80, "UDP"), False),
        (FROM_A, Edge(A, B, 80), False),
        (
            FROM_A | {"egress": [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]},
            Edge(A, OUTSIDE, 80),
            True,
        ),
        (
            FROM_A | {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["203.0.113.0/28"]}}]}]},
            Edge(A, OUTSIDE, 80),
            False,
        ),
        (FROM_A | {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}, Edge(A, B, 80), False),
        (TO_A, Edge(OUTSIDE, A, 80), False),
    ],
)
def test_policies_let_through_what_kubernetes_would(
    spec: dict[str, Any] | None, edge: Edge, open_: bool
) -> None:
    assert Network([policy(spec)] if spec else []).open(edge) is open_


def test_a_policy_of_another_namespace_does_not_count() -> None:
    assert Network([policy(TO_A, "there")]).open(Edge(B, A, 80))


JUNK = (None, 7, -1, "junk", "", True, [], [7], ["junk"], {}, {"junk": "junk"}, [{"junk": 1}])


def test_the_submitter_that_is_asked_for_exists() -> None:
    assert find_spec(SUBMITTER[-1]) is not None


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_shape_of_manifest_breaks_the_checker(name: str) -> None:
    """Places of an overlay, one after the other, hold what they must not: it is told, or is harmless."""
    chance = random.Random(name)
    for _ in range(30):
        documents = overlay(name)
        document = chance.choice(
            documents[:1] * 3 + documents + [d for d in documents if d.kind == "RayJob"] * 25
        )
        holder, key = _some_place(document.body, chance)
        holder[key] = chance.choice(JUNK)
        for problem in check_manifests(documents, ask_ray=False):
            assert problem.problem


def _some_place(body: Any, chance: random.Random) -> tuple[Any, Any]:
    while True:
        key = chance.choice(list(body) if isinstance(body, dict) else range(len(body)))
        if not isinstance(body[key], dict | list) or not body[key] or chance.random() < 0.1:
            return body, key
        body = body[key]
