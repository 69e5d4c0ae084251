"""The forecast of a submission is that of the cluster, whatever machine submits."""

from __future__ import annotations

import os
from typing import Any

import pytest
from kubernetes_api import FakeApi

from orchestrator.cluster.start_time import ASSUMED, start_time

from .conftest import SUCCEEDED, Frontier


def ended(created: str, began: str | None, **status: Any) -> dict[str, Any]:
    info = {} if began is None else {"rayJobInfo": {"startTime": began}}
    return {"metadata": {"creationTimestamp": created}, "status": {**SUCCEEDED, **info, **status}}


NOON = "2026-11-28T12:00:00Z"


def test_a_first_submission_says_that_the_start_of_pods_is_assumed(
    api: FakeApi, submit: Frontier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    said = submit("--no-follow", seeds=list(range(10)))
    assert "the groups may grow: cpu (2 CPU, 0 GPU) to 2 pods: 4 trials at once" in said.text
    assert "from submission, staging not counted; a pod, its node and image start in 180 s" in said.text
    assert "which is assumed" in said.text


def test_later_ones_go_by_what_earlier_sweeps_took(api: FakeApi, submit: Frontier) -> None:
    for number, second in enumerate((16, 20, 40)):
        body = ended(NOON, f"2026-11-28T12:00:{second}Z")
        body["metadata"]["labels"] = {"frontier/sweep": f"old-{number}"}
        api.put("rayjobs", f"old-{number}", body, group="ray.io")
    said = submit("--no-follow")
    assert "start in 20 s, as measured on 3 sweeps here" in said.text
    assert "wall clock" in said.text


@pytest.mark.parametrize(
    "body",
    [
        ended(NOON, None),
        ended(NOON, "2026-11-28T12:00:20Z", failed=1),
        ended(NOON, "2026-11-28T14:00:20Z"),
        ended(NOON, "soon"),
    ],
    ids=["never-began", "second-cluster", "queued", "unreadable"],
)
def test_sweeps_that_tell_no_start_are_left_out(body: dict[str, Any]) -> None:
    assert start_time([body]) == ASSUMED
    unsuspended = ended("2026-11-28T09:00:00Z", "2026-11-28T12:00:20Z", startTime=NOON)
    assert start_time([body, unsuspended]).seconds == 20.0
