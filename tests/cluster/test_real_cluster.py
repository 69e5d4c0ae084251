"""The whole way on a real cluster, and what it survives."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import GPU, Rig

pytestmark = pytest.mark.cluster


def assert_as_calm(rig: Rig, identity: str, calm: dict[str, Any]) -> list[dict[str, Any]]:
    """No trial is lost, none finished twice, and every metric is the undisturbed one."""
    records = rig.records(identity)
    assert {record["state"] for record in records} == {"finished"}
    assert {record["finished"] for record in records} == {1}
    assert {record["trial"]: record["test"] for record in records} == calm
    return records


def test_the_doctor_finds_nothing_bad(rig: Rig) -> None:
    rig.frontier("doctor", rig.overlay)


def test_submit_follows_to_a_report_and_attaches_again(rig: Rig) -> None:
    identity = rig.submit()
    job = rig.job(identity)
    assert job is not None
    assert (job.deployment, job.ray_state) == ("Complete", "SUCCEEDED")
    assert {record["state"] for record in rig.records(identity)} == {"finished"}
    assert "Complete" in rig.frontier("follow", identity)


def test_two_groups_grow_from_nothing_and_go_again(rig: Rig) -> None:
    """Each pod holds one trial at a time, so two at once need both groups."""
    identity = rig.submit(
        "--no-follow", overlay=rig.two_groups(), resources={"cpus": 2}, recipe={"epochs": 20}
    )
    assert rig.pods(identity) == {}
    rig.await_that("both groups have a pod", lambda: set(rig.pods(identity).values()) == {"first", "second"})
    rig.frontier("follow", identity)
    rig.await_that("idle pods go", lambda: not rig.pods(identity), minutes=5)


def test_a_killed_worker_costs_no_trial(rig: Rig, calm: dict[str, Any], long_sweep: dict[str, Any]) -> None:
    identity = rig.submit("--no-follow", **long_sweep)
    rig.await_trial_in_training(identity)
    rig.kill(next(iter(rig.pods(identity))))
    rig.frontier("follow", identity)
    records = assert_as_calm(rig, identity, calm)
    assert any((record["resumed_from"] or 0) > 0 for record in records)


def test_a_killed_head_costs_no_trial(rig: Rig, calm: dict[str, Any], long_sweep: dict[str, Any]) -> None:
    identity = rig.submit("--no-follow", **long_sweep)
    rig.await_trial_in_training(identity)
    [head] = rig.pods(identity, "head")
    rig.kill(head)
    rig.frontier("follow", identity)
    assert_as_calm(rig, identity, calm)


def test_stop_and_resume(rig: Rig, calm: dict[str, Any], long_sweep: dict[str, Any]) -> None:
    identity = rig.submit("--no-follow", **long_sweep)
    rig.await_trial_in_training(identity)
    rig.frontier("stop", identity)
    assert rig.job(identity) is None
    rig.await_that("every pod is gone", lambda: not rig.pods(identity) and not rig.pods(identity, "head"))
    rig.frontier("resume", identity)
    assert_as_calm(rig, identity, calm)


@pytest.mark.usefixtures("fake_gpus")
def test_only_the_groups_that_trials_need_are_started(rig: Rig) -> None:
    """The pods get a GPU that is none; whether a trial could use it is not asked."""
    overlay = rig.two_groups({GPU: "1"})
    identity = rig.submit("--no-follow", overlay=overlay, resources={"cpus": 1, "gpus": 1})
    rig.await_that("the group with GPUs has a pod", lambda: rig.pods(identity))
    assert set(rig.pods(identity).values()) == {"second"}
    rig.frontier("stop", identity)
