"""The admission policies, evaluated: what users may create is admitted, and each rule refuses something."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import celpy
import pytest
import yaml
from celpy.adapter import json_to_cel
from golden_overlays import OVERLAYS, template

from orchestrator.cluster.fetch_job import fetch_job
from orchestrator.cluster.ray_job import RayJob
from orchestrator.cluster.sync_job import sync_job

K8S = Path(__file__).parents[2] / "k8s"
POLICIES = {
    body["metadata"]["name"]: body["spec"]
    for body in yaml.safe_load_all((K8S / "admission.yaml").read_text())
    if body["kind"] == "ValidatingAdmissionPolicy"
}
RAY_JOBS, PODS, JOBS = "frontier-users-rayjobs", "frontier-users-pods", "frontier-users-jobs"
Body = dict[str, Any]


@cache
def compiled(expression: str) -> Any:
    return celpy.Environment().program(celpy.Environment().compile(expression))


def evaluated(expression: str, **names: Any) -> Any:
    """A name is plain JSON, or what an expression gave before."""
    return compiled(expression).evaluate(
        {
            name: value if isinstance(value, celpy.celtypes.MapType) else json_to_cel(value)
            for name, value in names.items()
        }
    )


def refusals(policy: str, body: Body, image: str = "") -> list[str]:
    """The messages of the rules that refuse it. As the API server does, an expression that fails refuses.
    `image`: that of the overlay, which an administrator fills in."""
    spec, variables = POLICIES[policy], celpy.celtypes.MapType()
    for variable in spec.get("variables", ()):
        expression = f"['{image}']" if image and variable["name"] == "images" else variable["expression"]
        try:
            value = evaluated(expression, object=body, variables=variables)
        except celpy.CELEvalError:
            continue  # whoever uses it fails
        variables[celpy.celtypes.StringType(variable["name"])] = value
    found = []
    for rule in spec["validations"]:
        try:
            admitted = evaluated(rule["expression"], object=body, variables=variables)
        except celpy.CELEvalError:
            admitted = False
        found += [] if admitted else [rule["message"]]
    return found


def ray_job(overlay: str = "local-cpu") -> Body:
    return copy.deepcopy(dict(template(overlay).body))


def fetching() -> Body:
    return copy.deepcopy(fetch_job(ray_job(), "/storage/sweeps", "demo"))


def reporting() -> Body:
    return dict(yaml.safe_load((K8S / "loader-report.yaml").read_text()))


def head(body: Body) -> Body:
    return dict(body["spec"]["rayClusterSpec"]["headGroupSpec"]["template"])


def worker(body: Body) -> Body:
    return dict(body["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"])


def container(pod: Body) -> Body:
    found: Body = pod["spec"]["containers"][0]
    return found


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_is_for_the_group_of_users_alone(policy: str) -> None:
    [condition] = POLICIES[policy]["matchConditions"]
    for groups, bound in ((["frontier-users", "staff"], True), (["system:serviceaccounts"], False)):
        request = {"userInfo": {"groups": groups}}
        assert bool(evaluated(condition["expression"], request=request)) == bound


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_rayjob_of_each_overlay_is_admitted(overlay: str) -> None:
    body = ray_job(overlay)
    assert refusals(RAY_JOBS, body, container(head(body))["image"]) == []


def test_the_rayjob_that_syncs_a_sweep_is_admitted() -> None:
    sweep = ray_job()
    assert refusals(RAY_JOBS, sync_job(RayJob(sweep), "/storage/sweeps")) == []


def test_the_pod_for_reports_and_the_job_of_a_fetch_are_admitted() -> None:
    assert refusals(PODS, reporting()) == []
    assert refusals(JOBS, fetching()) == []


def secret(name: str) -> Body:
    return {"secretRef": {"name": name}}


def claim(name: str, **more: Any) -> Body:
    return {"name": "v", "persistentVolumeClaim": {"claimName": name, **more}}


READS_A_KEY = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "frontier-mlflow-server", "key": "x"}}}
CASES: list[tuple[str, Callable[[], Body], Callable[[Body], object], str]] = [
    (RAY_JOBS, ray_job, lambda b: b["spec"].update(clusterSelector={"a": "b"}), "brings its own cluster"),
    (RAY_JOBS, ray_job, lambda b: b["spec"]["rayClusterSpec"].pop("authOptions"), "asks for a token"),
    (RAY_JOBS, ray_job, lambda b: container(worker(b)).update(image="evil"), "images of the overlay"),
    (RAY_JOBS, ray_job, lambda b: b["spec"].pop("submitterPodTemplate"), "images of the overlay"),
    (
        RAY_JOBS,
        ray_job,
        lambda b: b["spec"]["rayClusterSpec"].update(autoscalerOptions={"image": "evil"}),
        "autoscaler as KubeRay makes it",
    ),
    (
        RAY_JOBS,
        ray_job,
        lambda b: worker(b)["spec"].update(serviceAccountName="frontier-head"),
        "each in its place",
    ),
    (RAY_JOBS, ray_job, lambda b: worker(b)["spec"]["volumes"].append(claim("frontier-data")), "read-only"),
    (
        RAY_JOBS,
        ray_job,
        lambda b: worker(b)["spec"]["volumes"].append(claim("other")),
        "volumes of the claims",
    ),
    (
        RAY_JOBS,
        ray_job,
        lambda b: head(b)["spec"]["volumes"].append({"name": "v", "hostPath": {"path": "/"}}),
        "volumes of the claims",
    ),
    (
        RAY_JOBS,
        ray_job,
        lambda b: head(b)["spec"]["volumes"].append({"name": "v", "secret": {"secretName": "x"}}),
        "volumes of the claims",
    ),
    (RAY_JOBS, ray_job, lambda b: container(head(b)).update(env=[READS_A_KEY]), "no secret but"),
    (RAY_JOBS, ray_job, lambda b: container(head(b)).update(envFrom=[secret("other")]), "no secret but"),
    (
        RAY_JOBS,
        ray_job,
        lambda b: container(worker(b)).update(envFrom=[secret("frontier-mlflow")]),
        "no secret but",
    ),
    (
        RAY_JOBS,
        ray_job,
        lambda b: worker(b)["metadata"].setdefault("labels", {}).update({"ray.io/node-type": "head"}),
        "labels of another role",
    ),
    (
        RAY_JOBS,
        ray_job,
        lambda b: worker(b)["metadata"].setdefault("labels", {}).update({"frontier/role": "head"}),
        "labels of another role",
    ),
    (PODS, reporting, lambda b: b["metadata"].update(name="mine"), "and no other"),
    (PODS, reporting, lambda b: b["spec"].update(serviceAccountName="frontier-head"), "and no other"),
    (PODS, reporting, lambda b: b["spec"].pop("automountServiceAccountToken"), "and no other"),
    (PODS, reporting, lambda b: b["spec"].update(initContainers=[]), "and no other"),
    (
        PODS,
        reporting,
        lambda b: b["spec"]["volumes"].append(claim("frontier-data", readOnly=True)),
        "no other v",
    ),
    (
        PODS,
        reporting,
        lambda b: b["spec"]["volumes"][0]["persistentVolumeClaim"].pop("readOnly"),
        "read-only",
    ),
    (PODS, reporting, lambda b: container(b).update(envFrom=[secret("frontier-mlflow")]), "no secret may"),
    (JOBS, fetching, lambda b: b["metadata"].update(name="mine"), "a Job of `frontier fetch`"),
    (JOBS, fetching, lambda b: pod_of(b).update(serviceAccountName="frontier-head"), "a Job of"),
    (JOBS, fetching, lambda b: pod_of(b).pop("automountServiceAccountToken"), "a Job of"),
    (JOBS, fetching, lambda b: pod_of(b)["containers"][0].update(image="evil"), "the overlay's image"),
    (
        JOBS,
        fetching,
        lambda b: pod_of(b)["containers"][0].update(command=["sh", "-c", "x", "y"]),
        "the server",
    ),
    (JOBS, fetching, lambda b: pod_of(b)["containers"][0].update(env=[READS_A_KEY]), "no environment"),
    (
        JOBS,
        fetching,
        lambda b: pod_of(b)["volumes"].append(claim("frontier-data", readOnly=True)),
        "no other v",
    ),
    (JOBS, fetching, lambda b: pod_of(b)["volumes"][0]["persistentVolumeClaim"].pop("readOnly"), "read-only"),
    (
        JOBS,
        fetching,
        lambda b: b["spec"]["template"]["metadata"]["labels"].update({"frontier/role": "head"}),
        "labels of another role",
    ),
]


def pod_of(body: Body) -> Body:
    found: Body = body["spec"]["template"]["spec"]
    return found


@pytest.mark.parametrize(("policy", "make", "change", "words"), CASES)
def test_what_a_user_may_not_create_is_refused(
    policy: str, make: Callable[[], Body], change: Callable[[Body], object], words: str
) -> None:
    body = make()
    change(body)
    found = refusals(policy, body)
    assert any(words in message for message in found), found


def test_each_rule_refuses_something_here() -> None:
    for policy, spec in POLICIES.items():
        words = [case[3] for case in CASES if case[0] == policy]
        for rule in spec["validations"]:
            assert any(word in rule["message"] for word in words), rule["message"]
