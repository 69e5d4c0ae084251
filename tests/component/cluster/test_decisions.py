"""What follows from the state of a RayJob, and what pods and events tell: pure functions."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.cluster.pending import counts, pending_pods
from orchestrator.cluster.ray_job import MOST_RECREATIONS, RayJob, Step, next_job_step

CONFIG = "Job entrypoint command failed with exit code 2, last available logs:\n1 mistake"
HELD = "Job entrypoint command failed with exit code 6, last available logs:\nanother driver"
STORE = "Job entrypoint command failed with exit code 5, last available logs:\nno such server"
TRIALS = "Job entrypoint command failed with exit code 1, last available logs:\nsaid exit code 2"


def job(deployment: str, ray: str = "", reason: str = "", message: str = "", **annotations: str) -> RayJob:
    status = {"jobDeploymentStatus": deployment, "jobStatus": ray, "reason": reason, "message": message}
    named = {f"frontier/{key}": value for key, value in annotations.items()}
    return RayJob({"metadata": {"name": "x", "annotations": named}, "status": status})


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (RayJob({"metadata": {"name": "x"}}), Step.WAIT),
        (job("Initializing"), Step.WAIT),
        (job("Waiting"), Step.WAIT),
        (job("Running", "RUNNING"), Step.WAIT),
        (job("Running", "FAILED"), Step.WAIT),  # KubeRay decides first whether it tries again
        (job("Retrying", "FAILED", "AppFailed", CONFIG), Step.WAIT),
        (job("Suspending", "STOPPED"), Step.WAIT),
        (job("Suspended"), Step.WAIT),
        (job("A state of the future"), Step.WAIT),
        (job("Complete", "SUCCEEDED"), Step.SUCCEEDED),
        (job("Complete", "STOPPED"), Step.REFUSED),
        (job("Complete", "STOPPED", stopped="yes"), Step.STOPPED),
        (job("Complete", "FAILED"), Step.FAILED),
        (job("Failed", "STOPPED", "DeadlineExceeded"), Step.STOPPED),
        (job("Failed", "SUCCEEDED", "JobStatusCheckTimeoutExceeded"), Step.SUCCEEDED),
        (job("Failed", "RUNNING", "DeadlineExceeded"), Step.RECREATE),
        (job("Failed", "", "DeadlineExceeded"), Step.RECREATE),
        (job("Failed", "RUNNING", "JobStatusCheckTimeoutExceeded"), Step.RECREATE),
        (job("Failed", "RUNNING", "DeadlineExceeded", recreations="2"), Step.RECREATE),
        (job("Failed", "RUNNING", "DeadlineExceeded", recreations=str(MOST_RECREATIONS)), Step.FAILED),
        (job("Failed", "RUNNING", "DeadlineExceeded", stopped="yes"), Step.STOPPED),
        (job("Running", "RUNNING", stopped="yes"), Step.STOPPED),
        (job("Failed", "FAILED", "AppFailed", TRIALS), Step.FAILED),
        (job("Failed", "FAILED", "AppFailed", CONFIG), Step.REFUSED),
        (job("Failed", "FAILED", "DeadlineExceeded", CONFIG), Step.REFUSED),
        (job("Failed", "FAILED", "AppFailed", HELD), Step.RECREATE),
        (job("Failed", "FAILED", "AppFailed", STORE), Step.RECREATE),
        (job("Failed", "FAILED", "AppFailed", HELD, recreations=str(MOST_RECREATIONS)), Step.FAILED),
        (job("Failed", "", "SubmissionFailed"), Step.FAILED),
        (job("Failed", "", "PreRunningDeadlineExceeded"), Step.FAILED),
        (job("Failed", "", "A reason of the future"), Step.FAILED),
        (job("ValidationFailed", "", "ValidationFailed"), Step.FAILED),
    ],
)
def test_what_comes_next(found: RayJob, step: Step) -> None:
    assert next_job_step(found) is step


def pod(name: str, kind: str = "worker", **status: Any) -> dict[str, Any]:
    labels = {"ray.io/node-type": kind, "ray.io/group": "a100"}
    return {"metadata": {"name": name, "labels": labels}, "status": {"phase": "Pending"} | status}


def unscheduled(message: str) -> list[dict[str, str]]:
    return [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]


def waiting(reason: str, message: str) -> list[dict[str, Any]]:
    return [{"state": {"waiting": {"reason": reason, "message": message}}}]


NO_GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"conditions": unscheduled(NO_GPU)}, ["Insufficient nvidia.com/gpu", "no node has a free GPU"]),
        ({"conditions": unscheduled("1 node had untolerated taint {spot}")}, ["toleration"]),
        ({"conditions": unscheduled("pod has unbound immediate PersistentVolumeClaims")}, ["claims"]),
        (
            {"containerStatuses": waiting("ImagePullBackOff", "Back-off pulling image x")},
            ["ImagePullBackOff", "push the image"],
        ),
        (
            {"containerStatuses": waiting("CreateContainerConfigError", 'secret "keys" not found')},
            ['secret "keys" not found', "frontier doctor"],
        ),
        (
            {
                "containerStatuses": [
                    waiting("CrashLoopBackOff", "back-off")[0]
                    | {"lastState": {"terminated": {"reason": "OOMKilled"}}}
                ]
            },
            ["OOMKilled", "raise the memory"],
        ),
    ],
    ids=["gpu", "taint", "claim", "image", "secret", "memory"],
)
def test_why_a_pod_waits(status: dict[str, Any], words: list[str]) -> None:
    [found] = pending_pods([pod("w1", **status)], [], "`frontier doctor`")
    for expected in ("worker a100 waits", *words):
        assert expected in str(found)


def test_pods_that_wait_alike_are_told_as_one() -> None:
    status = {"conditions": unscheduled(NO_GPU)}
    [found] = pending_pods([pod("w1", **status), pod("w2", **status)], [], "`frontier doctor`")
    assert str(found).startswith("worker a100 2 pods wait: 0/3 nodes")


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Running"},
        {"containerStatuses": waiting("ContainerCreating", "")},
        {"phase": "Failed", "conditions": unscheduled(NO_GPU)},
    ],
)
def test_what_is_on_its_way_is_no_trouble(status: dict[str, Any]) -> None:
    assert pending_pods([pod("w1", **status)], [], "`frontier doctor`") == []


def event(kind: str, message: str, reason: str = "FailedCreate") -> dict[str, Any]:
    return {
        "type": "Warning",
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": kind, "name": "x-abc"},
    }


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        ('pods "x-head" is forbidden: violates PodSecurity "restricted:latest"', "--manifests"),
        ('pods "x-head" is forbidden: exceeded quota: frontier, requested: pods=1', "stop another sweep"),
    ],
)
def test_pods_that_cannot_be_made_are_told_by_events(message: str, fix: str) -> None:
    """Alike ones once, whatever the pods were to be called."""
    events = [
        event("RayCluster", message.replace("x-head", name), "FailedToCreateHeadPod") for name in ("p1", "p2")
    ]
    [found] = pending_pods([], events, "`frontier doctor`")
    assert "RayCluster x-abc cannot create its pod" in str(found)
    assert fix in str(found)


def test_old_events_of_pods_that_came_are_past() -> None:
    events = [event("Job", "exceeded quota"), event("RayCluster", "exceeded quota", "FailedToCreateHeadPod")]
    there = [pod("h", "head", phase="Running")]
    there += [{"metadata": {"labels": {"frontier/role": "submitter"}}, "status": {"phase": "Running"}}]
    assert pending_pods(there, events, "`frontier doctor`") == []


def test_pods_are_counted_by_role() -> None:
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    pods = [pod("w1", **ready), pod("w2"), pod("h", "head", **ready)]
    assert counts(pods) == {"head": (1, 1), "worker a100": (1, 2)}
