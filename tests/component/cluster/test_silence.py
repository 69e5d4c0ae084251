"""Whoever follows a sweep hears at least every 20 seconds what it waits for."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes_api import FakeApi

from orchestrator.cli.cluster import submit
from orchestrator.execution.clock import VirtualClock

from .conftest import RUNNING, STARTING, SUCCEEDED, Frontier
from .test_verdict import submitter

Body = dict[str, Any]
READY = [{"type": "Ready", "status": "True"}]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    found = VirtualClock()
    monkeypatch.setattr(submit, "SystemClock", lambda: found)
    return found


def later(clock: VirtualClock, status: Body | None, seconds: float = 10.0) -> Any:
    """A state that comes so much later."""

    def _later(fake: FakeApi, body: Body) -> Body:
        clock.advance_to(clock.now() + seconds)
        return status or {"seen": clock.now()}

    return _later


def event(fake: FakeApi, pod: str, reason: str, message: str) -> None:
    number = len(fake.all("events"))
    about = {"kind": "Pod", "name": pod}
    body = {"type": "Normal", "reason": reason, "message": message, "involvedObject": about}
    fake.put("events", f"normal-{number}", body)


def test_an_operator_that_does_not_react_is_said_with_the_way_to_look(
    api: FakeApi, submit: Frontier, clock: VirtualClock
) -> None:
    api.scripts = [[later(clock, None), later(clock, None), later(clock, None), SUCCEEDED]]
    said = submit()
    assert "waits for KubeRay's operator to take it up: 10 s so far" in said.text
    assert said.text.count("KubeRay's operator has not taken up the RayJob for 30 s") == 1
    assert "`frontier doctor`" in said.text


def test_a_long_wait_for_the_head_is_said_again_and_again(
    api: FakeApi, submit: Frontier, clock: VirtualClock
) -> None:
    def pending(fake: FakeApi, body: Body) -> Body:
        message = "0/3 nodes are available: 3 Insufficient memory."
        condition = {"type": "PodScheduled", "status": "False", "message": message}
        fake.pod("h", body["metadata"]["name"], "head", phase="Pending", conditions=[condition])
        return STARTING

    api.scripts = [[pending, *(later(clock, STARTING | {"n": n}, 15.0) for n in range(3)), SUCCEEDED]]
    said = submit()
    for seconds in (15, 30, 45):
        assert (
            "waits for the head to be ready (head waits: 0/3 nodes are available: 3 Insufficient memory. ->"
            in said.text
        )
        assert f": {seconds} s so far" in said.text


def test_what_the_submitter_last_said_is_heard_while_no_driver_runs(
    api: FakeApi, submit: Frontier, clock: VirtualClock
) -> None:
    words = "http://head:8265 is out of reach, asking again: gaierror: Name or service not known"

    def ready(fake: FakeApi, body: Body) -> Body:
        name = body["metadata"]["name"]
        fake.pod("h", name, "head", conditions=READY)
        submitter(fake, "s", name, f"first\n{words}\n")
        return STARTING

    api.scripts = [[ready, later(clock, STARTING | {"n": 1}), RUNNING, SUCCEEDED]]
    said = submit()
    assert said.text.count(f"submitter: {words}\n") == 1
    assert f"waits for the driver to start (the submitter: {words}): 10 s so far" in said.text


def test_nodes_that_are_added_and_images_that_are_pulled_are_told_once(
    api: FakeApi, submit: Frontier, clock: VirtualClock
) -> None:
    def growing(fake: FakeApi, body: Body) -> Body:
        name = body["metadata"]["name"]
        for pod in ("w1", "w2"):
            fake.pod(pod, name, "worker", phase="Pending")
            event(fake, pod, "TriggeredScaleUp", "pod triggered scale-up: [{pool 0->1 (max: 8)}]")
            event(fake, pod, "Pulling", 'Pulling image "frontier:1"')
        pulled = "in 1m2.345s (1m2.345s including waiting). Image size: 2891234567 bytes."
        event(fake, "w1", "Pulled", f'Successfully pulled image "frontier:1" {pulled}')
        event(fake, "w1", "Pulled", 'Container image "frontier:1" already present on machine')
        event(fake, "of-another-sweep", "Pulling", 'Pulling image "other:1"')
        return STARTING

    api.scripts = [[growing, STARTING, SUCCEEDED]]
    said = submit()
    added = (
        "worker cpu waits for a node, which the cluster adds: pod triggered scale-up: [{pool 0->1 (max: 8)}]"
    )
    for line in (
        added,
        "worker cpu pulls image frontier:1",
        "worker cpu has pulled image frontier:1: 2.9 GB in 1m2s",
    ):
        assert said.text.count(f"{line}\n") == 1, said.text
    assert "other:1" not in said.text
    assert "already present" not in said.text
