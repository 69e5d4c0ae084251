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
    rig.needs_room(1)
    identity = rig.submit()
    name = identity.rpartition("-")[0]
    assert (rig.root / "sweeps" / name / "report" / "report.html").is_file()
    job = rig.job(identity)
    assert job is not None
    assert (job.deployment, job.ray_state) == ("Complete", "SUCCEEDED")
    assert {record["state"] for record in rig.records(identity)} == {"finished"}
    assert "Complete" in rig.frontier("follow", identity)


def test_two_groups_grow_from_nothing_and_go_again(rig: Rig) -> None:
    """Each pod holds one trial at a time, so two at once need both groups."""
    rig.needs_room(2)
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
    said = rig.frontier("follow", identity)
    assert f"/{len(calm)} done" in said  # of the sweep, and not of what is left of it
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


def test_records_are_read_before_and_after_they_are_fetched(rig: Rig) -> None:
    identity = rig.submit("--no-fetch")
    name = identity.rpartition("-")[0]
    assert f"`frontier fetch {identity}`" in rig.frontier("status", name)
    assert f"run `frontier fetch {name}`" in rig.frontier("ledger", name, code=2)
    rig.frontier("fetch", name)
    for verb in ("status", "ledger", "report"):
        assert f"a copy of {identity}" in rig.frontier(verb, name)


@pytest.mark.usefixtures("fake_gpus")
def test_a_sweep_all_of_whose_trials_fail_is_no_success(rig: Rig) -> None:
    """They are given a GPU that is none."""
    overlay = rig.two_groups({GPU: "1"})
    rig.needs_room(1, overlay)
    rig.submit(overlay=overlay, resources={"cpus": 1, "gpus": 1}, code=1)


def test_nothing_is_silent_for_long(rig: Rig) -> None:
    """20 seconds, and what a look at a busy API server takes."""
    rig.needs_room(1)
    gaps = rig.silences("submit", rig.written(), "--overlay", rig.overlay)
    assert max(gaps) < 20 + 15


def test_a_corrected_submission_replaces_one_that_never_ran(rig: Rig) -> None:
    def mistype(spec: dict[str, Any]) -> None:
        head = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
        head["containers"][0]["image"] += "-mistyped"

    file = rig.written()
    rig.frontier("submit", file, "--overlay", rig.changed_overlay(mistype), "--no-follow")
    said = rig.frontier("submit", file, "--overlay", rig.overlay)
    assert "it is replaced" in said
    assert "4 of 4 trials finished" in said


def test_the_forecast_is_that_of_the_cluster(rig: Rig) -> None:
    said = rig.frontier("submit", rig.written(), "--overlay", rig.overlay, "--no-follow")
    assert "the groups may grow: " in said
    assert "from submission, staging not counted" in said


def test_runs_that_mlflow_missed_are_written_afterwards(rig: Rig) -> None:
    before = rig.scaled_to("mlflow", rig.cluster.namespace, 0)
    try:
        file = rig.written()
        said = rig.frontier("submit", file, "--overlay", rig.overlay)
    finally:
        rig.scaled_to("mlflow", rig.cluster.namespace, before)
    assert "MLflow lacks runs" in said
    name = rig.names[-1]
    rig.await_that("MLflow is ready", lambda: "Deployment mlflow" in rig.frontier("doctor", rig.overlay))
    assert "runs written" in rig.frontier("sync", name)


def test_an_operator_that_does_not_react_is_said(rig: Rig) -> None:
    before = rig.scaled_to("kuberay-operator", "kuberay-operator", 0)
    try:
        assert "has not taken up the RayJob for 30 s" in rig.heard("submit", rig.written(), seconds=60)
    finally:
        rig.scaled_to("kuberay-operator", "kuberay-operator", before)
