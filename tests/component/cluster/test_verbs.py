"""Submit, stop and resume, through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_api import FakeApi, RefusedError
from workshop import ending

from .conftest import CALM, OVERLAY, RUNNING, STARTING, SUCCEEDED, Frontier, failed

OVERDUE = {**RUNNING, "jobDeploymentStatus": "Failed", "reason": "DeadlineExceeded"}

Identity = Callable[[], str]


def config_maps(api: FakeApi) -> list[dict[str, Any]]:
    return [body for body in api.all("configmaps") if "frontier/sweep" in body["metadata"].get("labels", {})]


def test_submit_prices_applies_and_follows_to_the_end(api: FakeApi, submit: Frontier) -> None:
    said = submit()
    assert said.code == 0, said.text
    assert "2 trials to run" in said.text
    assert "at most 4 pods at once: head, submitter, 2 cpu" in said.text
    assert said.text.index("Initializing") < said.text.index("Running") < said.text.index("Complete")
    assert "/storage/sweeps/ours" in said.text  # where the report lies


def test_what_is_applied_is_what_render_writes(
    api: FakeApi, submit: Frontier, frontier: Frontier, sweep: Callable[..., str], tmp_path: Any
) -> None:
    assert submit("--no-follow").code == 0
    assert frontier("render", sweep(), "--overlay", OVERLAY, "--out", str(tmp_path / "out")).code == 0
    [file] = (tmp_path / "out").iterdir()
    config_map, ray_job = yaml.safe_load_all(file.read_text())
    live = api.ray_job(file.stem)
    assert live is not None
    assert live["spec"] == ray_job["spec"]
    assert config_maps(api)[0]["data"] == config_map["data"]


def test_the_ray_job_owns_the_config_map(api: FakeApi, submit: Frontier, identity: Identity) -> None:
    submit("--no-follow")
    [config_map] = config_maps(api)
    [owner] = config_map["metadata"]["ownerReferences"]
    job = api.ray_job(identity())
    assert job is not None
    assert (owner["kind"], owner["uid"]) == ("RayJob", job["metadata"]["uid"])
    assert config_map["immutable"] is True


def test_another_namespace(api: FakeApi, submit: Frontier) -> None:
    api.put("namespaces", "mine", {})
    assert submit("--no-follow", "--namespace", "mine").code == 0
    assert {key[2] for key in api.objects if key[1] == "rayjobs"} == {"mine"}


def test_the_same_command_attaches_to_what_runs(api: FakeApi, submit: Frontier) -> None:
    submit("--no-follow")
    [job] = api.all("rayjobs")
    said = submit()
    assert said.code == 0, said.text
    assert "attached" in said.text
    assert [body["metadata"]["uid"] for body in api.all("rayjobs")] == [job["metadata"]["uid"]]


@pytest.mark.parametrize("end", [SUCCEEDED, failed()], ids=["finished", "failed"])
def test_what_ended_is_made_again_under_the_same_id(
    api: FakeApi, submit: Frontier, identity: Identity, end: dict[str, Any]
) -> None:
    api.scripts = [[end], list(CALM)]
    submit()
    name, [before] = identity(), api.all("rayjobs")
    said = submit()
    [after] = api.all("rayjobs")
    assert said.code == 0, said.text
    assert identity() == name
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    assert len(config_maps(api)) == 1


def test_a_changed_sweep_is_refused_while_it_runs(api: FakeApi, submit: Frontier) -> None:
    submit("--no-follow")
    api.all("rayjobs")[0]["status"] = RUNNING
    said = submit("seeds=[12,34,56]")
    assert said.code == 2
    assert "seeds: [12, 34] -> [12, 34, 56]" in said.text
    assert "frontier stop ours-" in said.text
    assert len(api.all("rayjobs")) == len(config_maps(api)) == 1


@pytest.mark.parametrize("status", [{}, STARTING], ids=["unseen", "starting"])
def test_a_corrected_submission_replaces_one_that_never_ran(
    api: FakeApi, submit: Frontier, identity: Identity, status: dict[str, Any]
) -> None:
    submit("--no-follow")
    name, [before] = identity(), api.all("rayjobs")
    before["status"] = status
    api.pod("h", name, "head", phase="Pending")
    said = submit("seeds=[12]", "--no-follow")
    assert said.code == 0, said.text
    assert "no pod of it was ever ready: it is replaced" in said.text
    [after] = api.all("rayjobs")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    [config_map] = config_maps(api)
    assert yaml.safe_load(config_map["data"]["sweep.yaml"])["seeds"] == [12]


def test_a_changed_submission_replaces_nothing_whose_head_is_ready(
    api: FakeApi, submit: Frontier, identity: Identity
) -> None:
    submit("--no-follow")
    api.all("rayjobs")[0]["status"] = STARTING
    api.pod("h", identity(), "head", conditions=[{"type": "Ready", "status": "True"}])
    assert submit("seeds=[12]", "--no-follow").code == 2


def test_ended_ray_jobs_are_cleared_away_and_their_files_kept(
    api: FakeApi, submit: Frontier, frontier: Frontier, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.cluster import sweeps

    monkeypatch.setattr(sweeps, "_MOST_ENDED", 1)
    api.finalisers = False
    for number, keys in enumerate(
        [{"name": "old"}, {"name": "again"}, {"name": "new"}, {"storage": "/storage/else"}, {"name": "runs"}]
    ):
        submit("--no-follow", **keys)
        newest = max(api.all("rayjobs"), key=lambda body: int(body["metadata"]["resourceVersion"]))
        newest["metadata"]["creationTimestamp"] = f"2026-01-01T00:00:0{number}Z"
        newest["status"] = {"runs": RUNNING, "again": OVERDUE}.get(str(keys.get("name")), SUCCEEDED)
    submit("--no-follow")
    left = {body["metadata"]["annotations"]["frontier/sweep-name"] for body in api.all("rayjobs")}
    assert left == {"runs", "ours", "again"}  # which KubeRay gave up, and a follower makes again
    assert len(api.all("rayjobs")) == 4  # that of the other storage is the newest that has ended
    assert frontier("resume", "old", "--no-follow").code == 0


def test_a_changed_overlay_is_refused_while_it_runs(
    api: FakeApi, submit: Frontier, frontier: Frontier, sweep: Callable[..., str], tmp_path: Any
) -> None:
    submit("--no-follow")
    api.all("rayjobs")[0]["status"] = RUNNING
    documents = list(yaml.safe_load_all(Path(OVERLAY).read_text()))
    [job] = [body for body in documents if body["kind"] == "RayJob"]
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["idleTimeoutSeconds"] = 90
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump_all(documents))
    said = frontier("submit", sweep(), "--overlay", str(other), "--no-follow")
    assert said.code == 2
    assert "rayClusterSpec.workerGroupSpecs[0].idleTimeoutSeconds: 60 -> 90" in said.text


def test_fields_that_the_cluster_fills_in_are_no_change(
    api: FakeApi, submit: Frontier, identity: Identity
) -> None:
    submit("--no-follow")
    job = api.ray_job(identity())
    assert job is not None
    job["spec"]["jobId"] = "filled-in"
    job["spec"]["rayClusterSpec"]["headGroupSpec"]["serviceType"] = "ClusterIP"
    job["spec"]["suspend"] = True  # by Kueue
    assert "attached" in submit("--no-follow").text


def test_nothing_is_applied_when_the_sweep_is_wrong(api: FakeApi, submit: Frontier) -> None:
    said = submit(models=["no-such-model"])
    assert said.code == 2
    assert api.all("rayjobs") == api.all("configmaps") == []


def test_stop_removes_the_cluster_and_keeps_what_resume_needs(
    api: FakeApi, submit: Frontier, frontier: Frontier, identity: Identity
) -> None:
    submit("--no-follow")
    name = identity()
    said = frontier("stop", "ours")
    assert said.code == 0, said.text
    assert f"frontier resume {name}" in said.text
    assert api.all("rayjobs") == []
    [config_map] = config_maps(api)
    assert "frontier/stopped" in config_map["metadata"]["annotations"]
    assert not config_map["metadata"].get("ownerReferences")
    again = frontier("stop", name)
    assert again.code == 0
    assert "stopped before" in again.text


def test_resume_submits_what_was_stopped(
    api: FakeApi, submit: Frontier, frontier: Frontier, identity: Identity
) -> None:
    api.scripts = [[], list(CALM)]
    submit("--no-follow")
    name, [before] = identity(), api.all("rayjobs")
    frontier("stop", name)
    said = frontier("resume", name)
    assert said.code == 0, said.text
    [after] = api.all("rayjobs")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    [config_map] = config_maps(api)
    assert config_map["metadata"]["ownerReferences"][0]["uid"] == after["metadata"]["uid"]
    assert config_map["metadata"]["annotations"] == {}


def test_a_stopped_sweep_may_be_submitted_changed(
    api: FakeApi, submit: Frontier, frontier: Frontier, identity: Identity
) -> None:
    submit("--no-follow")
    name = identity()
    frontier("stop", name)
    assert submit("seeds=[12]", "--no-follow").code == 0
    assert identity() == name
    [config_map] = config_maps(api)
    assert yaml.safe_load(config_map["data"]["sweep.yaml"])["seeds"] == [12]


def test_resume_unsuspends(api: FakeApi, submit: Frontier, frontier: Frontier, identity: Identity) -> None:
    submit("--no-follow")
    job = api.ray_job(identity())
    assert job is not None
    job["spec"]["suspend"] = True
    assert "no longer suspended" in frontier("resume", "ours", "--no-follow").text
    job = api.ray_job(identity())
    assert job is not None
    assert job["spec"]["suspend"] is False


def test_resume_leaves_a_queued_sweep_to_its_queue(
    api: FakeApi, submit: Frontier, frontier: Frontier, identity: Identity
) -> None:
    submit("--no-follow")
    job = api.ray_job(identity())
    assert job is not None
    job["spec"]["suspend"] = True
    job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] = "gpus"
    assert "waits in the queue gpus" in frontier("resume", "ours", "--no-follow").text
    job = api.ray_job(identity())
    assert job is not None
    assert job["spec"]["suspend"] is True


def test_resume_of_what_runs_attaches(api: FakeApi, submit: Frontier, frontier: Frontier) -> None:
    submit("--no-follow")
    assert "runs already" in frontier("resume", "ours", "--no-follow").text
    assert len(api.all("rayjobs")) == 1


@pytest.mark.parametrize("verb", ["follow", "stop", "resume"])
def test_an_unknown_sweep_is_named_with_the_known_ones(
    submit: Frontier, frontier: Frontier, verb: str
) -> None:
    submit("--no-follow")
    said = frontier(verb, "yours")
    assert said.code == 2
    assert "there is no sweep 'yours'" in said.text
    assert "did you mean 'ours'?" in said.text


def test_a_sweep_that_is_going_is_waited_for(api: FakeApi, submit: Frontier, identity: Identity) -> None:
    api.scripts = [[STARTING], list(CALM)]
    submit("--no-follow")
    job = api.ray_job(identity())
    assert job is not None
    job["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:01Z"
    uid = job["metadata"]["uid"]
    said = submit()
    assert said.code == 0, said.text
    [after] = api.all("rayjobs")
    assert after["metadata"]["uid"] != uid


def test_warnings_of_the_api_server_are_told_once(api: FakeApi, submit: Frontier) -> None:
    api.warning = "would violate PodSecurity"
    said = submit("--no-follow")
    assert said.text.count("would violate PodSecurity") == 1


@pytest.mark.parametrize(
    ("verb", "plural", "refusal", "words"),
    [
        (
            "create",
            "rayjobs",
            RefusedError(403, 'User "me" cannot create resource "rayjobs"'),
            ["you may not create rayjobs.ray.io in namespace frontier", "frontier-user"],
        ),
        (
            "create",
            "rayjobs",
            RefusedError(403, "exceeded quota: frontier, requested: count/rayjobs.ray.io=1, used: 50"),
            ["exceeded quota: frontier", "stop another sweep"],
        ),
        (
            "create",
            "rayjobs",
            RefusedError(422, "invalid", causes=[{"field": "spec.suspnd", "message": "unknown field"}]),
            ["the cluster refuses RayJob ours-", "spec.suspnd: unknown field"],
        ),
        ("list", "pods", RefusedError(401, "Unauthorized"), ["authentication failed", "log in"]),
    ],
    ids=["forbidden", "quota", "invalid", "login"],
)
def test_refusals_become_words(
    api: FakeApi, submit: Frontier, verb: str, plural: str, refusal: RefusedError, words: list[str]
) -> None:
    api.refusals[verb, plural] = refusal
    said = submit()
    assert said.code == 3
    for expected in words:
        assert expected in said.text


def test_kuberay_is_missing(api: FakeApi, submit: Frontier) -> None:
    api.groups.remove("ray.io")
    said = submit()
    assert said.code == 3
    assert "KubeRay is not installed" in said.text
    assert api.all("configmaps") == []


def test_the_namespace_is_missing(api: FakeApi, submit: Frontier) -> None:
    said = submit("--namespace", "nowhere")
    assert said.code == 3
    assert "there is no namespace nowhere" in said.text


def test_a_field_of_another_manager_is_not_taken_over(
    api: FakeApi, submit: Frontier, frontier: Frontier, sweep: Callable[..., str]
) -> None:
    """GitOps and this command do not fight over one object."""
    submit("--no-follow")
    [config_map] = config_maps(api)
    body = json.loads(json.dumps(config_map)) | {"data": {"sweep.yaml": "name: other\n"}}
    api.objects.clear()
    api._applied.clear()
    api.put("namespaces", "frontier", {})
    api.answer(
        "PATCH",
        f"/api/v1/namespaces/frontier/configmaps/{body['metadata']['name']}",
        {"fieldManager": "argocd"},
        {"metadata": {"name": body["metadata"]["name"]}, "data": body["data"]},
        "application/apply-patch+yaml",
    )
    said = submit("--no-follow")
    assert said.code == 3
    assert "another client manages .data.sweep.yaml" in said.text
    assert "GitOps" in said.text


def test_a_busy_api_server_is_asked_again(api: FakeApi, submit: Frontier) -> None:
    api.trouble = [503, 429]
    assert submit("--no-follow").code == 0
    assert api.trouble == []


def test_running_is_no_end(api: FakeApi, submit: Frontier, frontier: Frontier) -> None:
    """A script that says so twice: nothing but a final state ends the following."""
    api.scripts = [[STARTING, RUNNING, RUNNING, {**RUNNING, "failed": 1}, SUCCEEDED]]
    said = submit()
    assert said.code == 0
    assert "clusters lost so far: 1" in said.text


def test_ctrl_c_leaves_the_sweep_running(api: FakeApi, submit: Frontier, tmp_path: Path) -> None:
    api.scripts = [[STARTING]]
    submit("--no-follow")
    with ending(
        subprocess.Popen(
            [sys.executable, "-c", "from orchestrator.cli import main; main()", "follow", "ours"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"KUBECONFIG": str(tmp_path / "kubeconfig")},
        )
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Initializing" in line:
                process.send_signal(signal.SIGINT)
                break
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
    assert "runs on in the cluster" in errors
    assert "frontier follow ours-" in errors
    assert "Traceback" not in errors
    assert len(api.all("rayjobs")) == 1
